package front

import "github.com/prometheus/client_golang/prometheus"

// metrics of the front. Every label has a small closed set of values.
type metrics struct {
	accepted        map[string]prometheus.Counter // by "http", "https", "http3"
	refused         *prometheus.CounterVec        // connections
	aborted         *prometheus.CounterVec        // connections
	stalledStreams  prometheus.Counter
	resetStreams    prometheus.Counter
	requestsRefused *prometheus.CounterVec
	http2Errors     *prometheus.CounterVec
	serverErrors    *prometheus.CounterVec
}

func newMetrics(f *Front, r prometheus.Registerer) *metrics {
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	accepted := vec("evergate_connections_accepted_total", "Connections accepted.", "listener")
	m := &metrics{
		accepted: make(map[string]prometheus.Counter),
		refused:  vec("evergate_connections_refused_total", "Connections closed before their first request: per_ip, total (HTTP/3 only), off, proxy_header, proxy_timeout.", "why"),
		aborted:  vec("evergate_connections_aborted_total", "Connections cut: stalled (took nothing for limits.response.idle_timeout), slow_reader (less than min_rate), resets (more than limits.http2_resets), cut (HTTP/1.0: an answer broke off), drain.", "why"),
		stalledStreams: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "evergate_streams_stalled_total", Help: "HTTP/2 and HTTP/3 streams cut because the visitor kept their window shut."}),
		resetStreams: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "evergate_streams_reset_total", Help: "HTTP/2 and HTTP/3 streams that ended before their answer."}),
		requestsRefused: vec("evergate_front_requests_refused_total", "Requests answered before the gateway: memory (503), misdirected (421), version (505); and over HTTP/1.1, without a line in the access log: malformed (400), header_bytes (431), transfer_coding (501).", "why"),
		http2Errors:     vec("evergate_http2_errors_total", "Errors of HTTP/2 visitors, in the words of net/http.", "type"),
		serverErrors:    vec("evergate_server_errors_total", "What net/http could only log: tls_handshake, panic, other.", "kind"),
	}
	for _, kind := range []string{"http", "https", "http3"} {
		m.accepted[kind] = accepted.WithLabelValues(kind)
	}
	if r == nil {
		return m
	}
	r.MustRegister(accepted, m.refused, m.aborted, m.stalledStreams, m.resetStreams, m.requestsRefused, m.http2Errors, m.serverErrors,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "evergate_connections", Help: "Connections open now."},
			func() float64 { return float64(f.openConnections()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "evergate_memory_ladder", Help: "Rung of the memory ladder: 0 well, 1 keep-alive ends, 2 requests are refused."},
			func() float64 { return float64(f.ladder.level.Load()) }))
	return m
}

// http2Error counts an error in the words of http.HTTP2Config.CountError.
func (m *metrics) http2Error(kind string) { m.http2Errors.WithLabelValues(kind).Inc() }
