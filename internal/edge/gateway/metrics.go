package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/exchange"
)

// methods are those with a label of their own; the rest is "other".
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "other"}

// classes are those of statuses: none sent, 1xx to 5xx, 499 apart.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx", "499"}

// metrics are the figures of the gateway. One serves all runtimes. Labels are
// sites, routes and small closed lists; nothing of a request.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	received *prometheus.CounterVec
	sent     *prometheus.CounterVec
	refused  *prometheus.CounterVec
	aborted  *prometheus.CounterVec
	inFlight atomic.Int64

	mu     sync.Mutex // guards places, and the users of each
	places map[[2]string]*counters
}

func newMetrics(reg prometheus.Registerer) *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: vec("evergate_requests_total",
			"Requests that have ended, by method and status class (499: the visitor left before an answer; none: cut before one).",
			"site", "route", "method", "status"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "evergate_request_seconds",
			Help:    "Time from a request's header to the last byte of its answer. Upgraded connections are not in it.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"site", "route"}),
		received: vec("evergate_received_bytes_total", "Request body bytes read from visitors.", "site", "route"),
		sent:     vec("evergate_sent_bytes_total", "Response body bytes sent to visitors, compressed where they were.", "site", "route"),
		refused:  vec("evergate_requests_refused_total", "Requests that Evergate answered itself, by why.", "reason"),
		aborted:  vec("evergate_responses_aborted_total", "Responses cut after they had begun, by why.", "reason"),
		places:   make(map[[2]string]*counters),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.received, m.sent, m.refused, m.aborted,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "evergate_requests_in_flight", Help: "Requests under way, upgraded connections among them."},
				func() float64 { return float64(m.inFlight.Load()) }))
	}
	return m
}

// counters are the figures of one place, resolved once. They live over reloads, as
// long as a runtime has the place.
type counters struct {
	m           *metrics
	site, route string
	users       int                                                            // places of runtimes
	requests    [len(methods)][len(classes)]atomic.Pointer[prometheus.Counter] // made as they are needed
	seconds     prometheus.Observer
	received    prometheus.Counter
	sent        prometheus.Counter
}

// of returns the counters of a route, or of a site without route, or of neither,
// for a user who gives them back with release.
func (m *metrics) of(site, route string) *counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{site, route}
	c := m.places[key]
	if c == nil {
		c = &counters{
			m: m, site: site, route: route, seconds: m.seconds.WithLabelValues(site, route),
			received: m.received.WithLabelValues(site, route), sent: m.sent.WithLabelValues(site, route),
		}
		m.places[key] = c
	}
	c.users++
	return c
}

// release removes the figures of a place that no runtime has any more.
func (c *counters) release() {
	m := c.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.users--; c.users > 0 {
		return
	}
	delete(m.places, [2]string{c.site, c.route})
	labels := prometheus.Labels{"site": c.site, "route": c.route}
	m.requests.DeletePartialMatch(labels)
	m.seconds.DeletePartialMatch(labels)
	m.received.DeletePartialMatch(labels)
	m.sent.DeletePartialMatch(labels)
}

// observe counts an exchange that has ended.
func (m *metrics) observe(c *counters, x *exchange.Exchange) {
	c.request(methodIndex(x.Method), classIndex(x.Status)).Inc()
	if !x.Upgraded {
		c.seconds.Observe(x.Duration.Seconds())
	}
	if x.BytesIn > 0 {
		c.received.Add(float64(x.BytesIn))
	}
	if x.BytesOut > 0 {
		c.sent.Add(float64(x.BytesOut))
	}
	if x.Abort != "" {
		m.aborted.WithLabelValues(x.Abort).Inc()
	}
}

func (c *counters) request(method, class int) prometheus.Counter {
	at := &c.requests[method][class]
	if p := at.Load(); p != nil {
		return *p
	}
	made := c.m.requests.WithLabelValues(c.site, c.route, methods[method], classes[class])
	at.Store(&made)
	return made
}

// refuse counts a request that was answered by us. reason is a word of a closed list.
func (m *metrics) refuse(reason string) { m.refused.WithLabelValues(reason).Inc() }

func methodIndex(method string) int {
	for i, m := range methods {
		if m == method {
			return i
		}
	}
	return len(methods) - 1
}

func classIndex(status int) int {
	switch {
	case status == statusGone:
		return len(classes) - 1
	case status < 100 || status > 599:
		return 0
	}
	return status / 100
}
