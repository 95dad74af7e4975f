package origin

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// left says why a request left the queue. The words are those of the metric.
type left uint8

const (
	leftServed left = iota
	leftClient
	leftDeadline
	leftOverflow
	lefts // their number
)

func (l left) String() string {
	return [...]string{"served", "client_gone", "deadline", "overflow"}[l]
}

// Metrics shows origins to Prometheus. One is enough for all origins and over
// all reloads: gauges are read from the origins when somebody scrapes, so that
// nothing is left of one that has gone.
type Metrics struct {
	state, depth, bytes, inFlight *prometheus.Desc

	ejections *prometheus.CounterVec
	waits     *prometheus.HistogramVec
	lefts     *prometheus.CounterVec

	mu     sync.Mutex // guards groups
	groups []*group   // running ones, the latest last
}

var _ prometheus.Collector = (*Metrics)(nil)

// NewMetrics registers the metrics of origins with reg, or returns those that
// are registered there already.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	m := &Metrics{
		state:    desc("evergate_server_state", "1 for the state that the server is in, 0 for the others.", "origin", "server", "state"),
		depth:    desc("evergate_queue_depth", "Requests waiting for a server or a free slot.", "origin", "lane"),
		bytes:    desc("evergate_queue_bytes", "Bytes of request bodies held by waiting requests.", "origin"),
		inFlight: desc("evergate_in_flight", "Attempts under way on the server.", "origin", "server"),
		ejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evergate_ejections_total", Help: "Ejections of the server, by what led to them."}, []string{"origin", "server", "reason"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "evergate_queue_wait_seconds", Help: "Time that requests waited in the queue, however they left it.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"origin"}),
		lefts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evergate_queue_left_total", Help: "Requests that left the queue, by why."}, []string{"origin", "why"}),
	}
	if err := reg.Register(m); err != nil {
		if was := (prometheus.AlreadyRegisteredError{}); errors.As(err, &was) {
			if m, ok := was.ExistingCollector.(*Metrics); ok {
				return m, nil
			}
		}
		return nil, fmt.Errorf("register the metrics of origins: %w", err)
	}
	return m, nil
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.state
	out <- m.depth
	out <- m.bytes
	out <- m.inFlight
	m.ejections.Describe(out)
	m.waits.Describe(out)
	m.lefts.Describe(out)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	groups := slices.Clone(m.groups)
	m.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	// An origin may run twice: taken out of the configuration, still draining,
	// and put back. The sums are of both, the states those of the latest.
	type key struct{ origin, server string }
	depth, held := make(map[string]int), make(map[string]int64)
	flights, state := make(map[key]int), make(map[key]State)
	for _, g := range groups {
		s := g.snapshot()
		depth[s.Name] += s.Queue.Depth
		held[s.Name] += s.Queue.Bytes
		for _, v := range slices.Backward(s.Servers) { // those that leave come last
			k := key{s.Name, v.Name}
			flights[k] += v.InFlight
			state[k] = v.State
		}
	}
	for name, n := range depth {
		gauge(m.depth, float64(n), name, "default")
		gauge(m.bytes, float64(held[name]), name)
	}
	for k, is := range state {
		gauge(m.inFlight, float64(flights[k]), k.origin, k.server)
		for s := range states {
			v := 0.0
			if s == is {
				v = 1
			}
			gauge(m.state, v, k.origin, k.server, s.String())
		}
	}
	m.ejections.Collect(out)
	m.waits.Collect(out)
	m.lefts.Collect(out)
}

// groupMetrics are the counters of one origin, their children resolved. nil
// counts nothing.
type groupMetrics struct {
	all    *Metrics
	origin string
	waits  prometheus.Observer
	lefts  [lefts]prometheus.Counter
}

func newGroupMetrics(m *Metrics, origin string) *groupMetrics {
	if m == nil {
		return nil
	}
	return &groupMetrics{all: m, origin: origin}
}

// begin shows g.
func (m *groupMetrics) begin(g *group) {
	if m == nil {
		return
	}
	m.waits = m.all.waits.WithLabelValues(m.origin)
	for i := range m.lefts {
		m.lefts[i] = m.all.lefts.WithLabelValues(m.origin, left(i).String())
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.all.groups = append(m.all.groups, g)
}

// end forgets g and, unless another group has its name, its counters.
func (m *groupMetrics) end(g *group) {
	if m == nil {
		return
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.all.groups = slices.DeleteFunc(m.all.groups, func(o *group) bool { return o == g })
	if slices.ContainsFunc(m.all.groups, func(o *group) bool { return o.name == m.origin }) {
		return
	}
	labels := prometheus.Labels{"origin": m.origin}
	m.all.ejections.DeletePartialMatch(labels)
	m.all.waits.DeletePartialMatch(labels)
	m.all.lefts.DeletePartialMatch(labels)
}

// forget removes the counters of a server that is no more.
func (m *groupMetrics) forget(server string) {
	if m != nil {
		m.all.ejections.DeletePartialMatch(prometheus.Labels{"origin": m.origin, "server": server})
	}
}

func (m *groupMetrics) ejected(server, reason string) {
	if m != nil {
		m.all.ejections.WithLabelValues(m.origin, server, reason).Inc()
	}
}

func (m *groupMetrics) left(why left) {
	if m != nil && m.waits != nil {
		m.lefts[why].Inc()
	}
}

func (m *groupMetrics) waited(d time.Duration) {
	if m != nil && m.waits != nil {
		m.waits.Observe(d.Seconds())
	}
}
