package certstore

import "github.com/prometheus/client_golang/prometheus"

// register shows the storage's state as metrics.
func (s *Storage) register(r prometheus.Registerer) {
	if r == nil {
		return
	}
	gauge := func(name, help string, value func(State) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(s.State()) })
	}
	one := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	r.MustRegister(
		gauge("evergate_cert_store_lost", "1 while certificates are kept on this node only, because the store is lost.",
			func(s State) float64 { return one(s.Err != nil) }),
		gauge("evergate_cert_store_waiting", "Changes of certificate files that the store has not heard of.",
			func(s State) float64 { return float64(s.Waiting) }),
		gauge("evergate_cert_store_disk_failing", "1 while certificates of the store cannot be copied to this node's disk.",
			func(s State) float64 { return one(s.Disk != nil) }),
	)
}
