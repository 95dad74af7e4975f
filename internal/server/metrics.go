package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/evergate/evergate/internal/config"
)

// metrics are the process's own figures; the edge registers its own beside them.
type metrics struct {
	registry *prometheus.Registry
	reloads  *prometheus.CounterVec // by result: ok, kept
	lastOK   prometheus.Gauge       // 1: the last reload took place
	loadedAt prometheus.Gauge       // unix time at which the configuration in use was loaded
	node     *prometheus.GaugeVec
	ready    prometheus.Gauge
}

// newMetrics returns a registry of this process's own, so that nothing that a
// library registers globally appears by accident.
func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evergate_reloads_total",
			Help: "Reloads of the configuration: ok, or kept when the old one stayed in use.",
		}, []string{"result"}),
		lastOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evergate_config_last_reload_successful",
			Help: "1 when the last reload, or the start, brought the file's configuration into use.",
		}),
		loadedAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evergate_config_loaded_timestamp_seconds",
			Help: "When the configuration in use was loaded.",
		}),
		node: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "evergate_build_info",
			Help: "What runs here; always 1.",
		}, []string{"node", "version", "revision", "goversion"}),
		ready: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "evergate_ready",
			Help: "1 while traffic is welcome, 0 while starting or draining.",
		}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.reloads, m.lastOK, m.loadedAt, m.node, m.ready,
	)
	m.reloads.WithLabelValues("ok")
	m.reloads.WithLabelValues("kept")
	return m
}

// loaded notes that cfg came into use at now.
func (m *metrics) loaded(cfg *config.Config, now time.Time) {
	build := ThisBuild()
	m.node.Reset()
	m.node.WithLabelValues(nodeName(cfg), build.Version, build.Revision, build.Go).Set(1)
	m.lastOK.Set(1)
	m.loadedAt.Set(float64(now.UnixNano()) / 1e9)
}

// reloaded counts a reload.
func (m *metrics) reloaded(ok bool) {
	if ok {
		m.reloads.WithLabelValues("ok").Inc()
		return
	}
	m.reloads.WithLabelValues("kept").Inc()
	m.lastOK.Set(0)
}
