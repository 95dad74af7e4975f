package accesslog

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the figures of all access logs of a process; they outlive a
// change of the log's settings.
type Metrics struct {
	written prometheus.Counter
	full    prometheus.Counter
	failed  prometheus.Counter
	errors  prometheus.Counter
}

// NewMetrics makes the figures and registers them; r may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	dropped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "evergate_access_log_dropped_total",
		Help: "Access log lines that were not written: buffer_full when the disk was too slow, write_error when it refused.",
	}, []string{"why"})
	m := &Metrics{
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "evergate_access_log_lines_total",
			Help: "Access log lines written.",
		}),
		full:   dropped.WithLabelValues("buffer_full"),
		failed: dropped.WithLabelValues("write_error"),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "evergate_access_log_write_errors_total",
			Help: "Writes to the access log that failed, such as on a full disk.",
		}),
	}
	if r != nil {
		r.MustRegister(m.written, dropped, m.errors)
	}
	return m
}
