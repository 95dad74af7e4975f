package proxy

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/replay"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	classes  = int(exchange.Forwarded) + 1
	outcomes = int(exchange.Canceled) + 1
)

// Metrics shows the proxy to Prometheus. One serves all generations of the
// configuration. Labels are origins, servers, routes and small closed lists.
type Metrics struct {
	attempts    *prometheus.CounterVec
	retries     *prometheus.CounterVec
	wouldRetry  *prometheus.CounterVec
	denied      *prometheus.CounterVec
	failures    *prometheus.CounterVec
	overflows   *prometheus.CounterVec
	tunnels     *prometheus.GaugeVec
	inFlight    *prometheus.Desc
	bytes       *prometheus.Desc
	diskErrors  *prometheus.Desc
	hidden      *prometheus.Desc
	mu          sync.Mutex // guards the fields below
	now         *Proxy     // that is in use
	hiddenSeen  map[[2]string]uint64
	hiddenTotal map[string]uint64
}

var _ prometheus.Collector = (*Metrics)(nil)

// NewMetrics registers the metrics of the proxy with reg, or returns those that
// are registered there already.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m := &Metrics{
		attempts: counter("evergate_attempts_total",
			"Attempts, by how far they got (send_class 0 to 5) and how they ended.", "origin", "server", "send_class", "outcome"),
		retries:    counter("evergate_retries_total", "Attempts made because an earlier one failed, by that failure.", "origin", "reason"),
		wouldRetry: counter("evergate_retries_dry_run_total", "Retries that dry_run kept from being made.", "origin", "reason"),
		denied:     counter("evergate_retry_denied_total", "Failed attempts that no other followed, by why.", "origin", "why"),
		failures: counter("evergate_failures_total",
			"attempt: attempts that failed. hidden: requests with such an attempt that ended well. client: requests whose failure the visitor saw.",
			"origin", "kind"),
		overflows: counter("evergate_replay_overflow_total", "Request bodies that could not be kept whole, by why.", "route", "why"),
		tunnels: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "evergate_tunnels", Help: "Upgraded connections (websockets) that are open."}, []string{"origin"}),
		inFlight:    desc("evergate_retries_in_flight", "Retries under way.", "origin"),
		bytes:       desc("evergate_replay_bytes", "Bytes of request bodies kept for retries.", "where"),
		diskErrors:  desc("evergate_replay_disk_errors_total", "Errors of the disk under kept request bodies."),
		hidden:      desc("evergate_hidden_replays_total", "Requests that a library under a transport repeated by itself.", "origin"),
		hiddenSeen:  make(map[[2]string]uint64),
		hiddenTotal: make(map[string]uint64),
	}
	if err := reg.Register(m); err != nil {
		if was := (prometheus.AlreadyRegisteredError{}); errors.As(err, &was) {
			if m, ok := was.ExistingCollector.(*Metrics); ok {
				return m, nil
			}
		}
		return nil, fmt.Errorf("register the metrics of the proxy: %w", err)
	}
	return m, nil
}

// vectors are the collectors that count by themselves.
func (m *Metrics) vectors() []prometheus.Collector {
	return []prometheus.Collector{m.attempts, m.retries, m.wouldRetry, m.denied, m.failures, m.overflows, m.tunnels}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, v := range m.vectors() {
		v.Describe(out)
	}
	out <- m.inFlight
	out <- m.bytes
	out <- m.diskErrors
	out <- m.hidden
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	for _, v := range m.vectors() {
		v.Collect(out)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now == nil {
		return
	}
	constant := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	for name, o := range m.now.origins {
		constant(m.inFlight, prometheus.GaugeValue, float64(o.budget.underWay()), name)
		m.addHidden(name, o.snapshot())
		constant(m.hidden, prometheus.CounterValue, float64(m.hiddenTotal[name]), name)
	}
	var kept replay.Usage
	for _, s := range m.now.shared.stores() {
		u := s.Usage()
		kept.Memory, kept.Disk, kept.DiskErrors = kept.Memory+u.Memory, kept.Disk+u.Disk, kept.DiskErrors+u.DiskErrors
	}
	constant(m.bytes, prometheus.GaugeValue, float64(kept.Memory), "memory")
	constant(m.bytes, prometheus.GaugeValue, float64(kept.Disk), "disk")
	constant(m.diskErrors, prometheus.CounterValue, float64(kept.DiskErrors))
}

// addHidden adds what the origin's transports counted since the last time.
// Servers come and go; what they counted stays.
func (m *Metrics) addHidden(name string, s origin.Snapshot) {
	for _, v := range s.Servers {
		key := [2]string{name, v.Name}
		count := v.Connections.Hidden
		if seen := m.hiddenSeen[key]; count >= seen {
			m.hiddenTotal[name] += count - seen
		} else {
			m.hiddenTotal[name] += count // another transport
		}
		m.hiddenSeen[key] = count
	}
}

// use shows p from now on.
func (m *Metrics) use(p *Proxy) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = p
}

// counters are the children of one origin's metrics, resolved once. They live
// over reloads.
type counters struct {
	m        *Metrics
	origin   string
	failed   prometheus.Counter // attempts
	hidden   prometheus.Counter
	client   prometheus.Counter
	tunnels  prometheus.Gauge
	byServer sync.Map // server name: *serverCounters
}

func newCounters(m *Metrics, origin string) *counters {
	return &counters{
		m: m, origin: origin,
		failed: m.failures.WithLabelValues(origin, "attempt"), hidden: m.failures.WithLabelValues(origin, "hidden"),
		client: m.failures.WithLabelValues(origin, "client"), tunnels: m.tunnels.WithLabelValues(origin),
	}
}

// serverCounters are the attempts on one server, made as they are needed.
type serverCounters struct {
	mu       sync.Mutex
	attempts [classes][outcomes]prometheus.Counter
}

// attempt counts one that has ended.
func (c *counters) attempt(a *exchange.Attempt) {
	if a.Failed() {
		c.failed.Inc()
	}
	v, ok := c.byServer.Load(a.Server)
	if !ok {
		v, _ = c.byServer.LoadOrStore(a.Server, &serverCounters{})
	}
	s := v.(*serverCounters)
	s.mu.Lock()
	child := s.attempts[a.Class][a.Outcome]
	if child == nil {
		child = c.m.attempts.WithLabelValues(c.origin, a.Server, strconv.Itoa(int(a.Class)), a.Outcome.String())
		s.attempts[a.Class][a.Outcome] = child
	}
	s.mu.Unlock()
	child.Inc()
}

// retried, denied, would: rare enough to look their children up.
func (c *counters) retried(reason string) { c.m.retries.WithLabelValues(c.origin, reason).Inc() }
func (c *counters) denied(why string)     { c.m.denied.WithLabelValues(c.origin, why).Inc() }
func (c *counters) would(reason string)   { c.m.wouldRetry.WithLabelValues(c.origin, reason).Inc() }

// overflowed counts a body on route that could not be kept.
func (c *counters) overflowed(route, why string) { c.m.overflows.WithLabelValues(route, why).Inc() }

// forget removes what was counted for servers that are not in names any more.
func (c *counters) forget(names map[string]bool) {
	c.byServer.Range(func(k, _ any) bool {
		if server := k.(string); !names[server] {
			c.byServer.Delete(k)
			c.m.attempts.DeletePartialMatch(prometheus.Labels{"origin": c.origin, "server": server})
		}
		return true
	})
}
