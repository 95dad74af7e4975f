package certs

import "github.com/prometheus/client_golang/prometheus"

// metrics of the certificates. The label name is a host name or a file of the
// configuration, never what a visitor said.
type metrics struct {
	orders  *prometheus.CounterVec
	missing *prometheus.CounterVec

	expiry  *prometheus.Desc
	failing *prometheus.Desc
	manager *Manager
}

func newMetrics(m *Manager, r prometheus.Registerer) *metrics {
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	all := &metrics{
		orders:  vec("evergate_cert_orders_total", "Certificates asked from the ACME authority: issued, or why not: refused, rate_limited, unreachable, timeout, disk.", "outcome"),
		missing: vec("evergate_tls_no_certificate_total", "Handshakes that ended for want of a certificate: pending (none yet), unknown (not a name of the configuration), unnamed (the visitor named nobody), challenge (tls-alpn-01 that nobody waits for).", "why"),
		expiry:  prometheus.NewDesc("evergate_cert_expiry_timestamp_seconds", "When the certificate in use ends. name: host name, or file of tls.files.", []string{"name", "source"}, nil),
		failing: prometheus.NewDesc("evergate_cert_failing", "1 while the last attempt to read or renew a certificate has failed: unreadable, invalid, refused, rate_limited, unreachable, timeout, disk.", []string{"name", "source", "why"}, nil),
		manager: m,
	}
	if r != nil {
		r.MustRegister(all.orders, all.missing, all)
	}
	return all
}

// Describe is prometheus.Collector.
func (c *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.expiry
	ch <- c.failing
}

// Collect is prometheus.Collector. It reads the state as it is, so that a name
// that left the configuration leaves no series behind.
func (c *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.manager.status() {
		if !s.expiry.IsZero() {
			ch <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(s.expiry.Unix()), s.name, s.source)
		}
		if s.why != "" {
			ch <- prometheus.MustNewConstMetric(c.failing, prometheus.GaugeValue, 1, s.name, s.source, s.why)
		}
	}
}
