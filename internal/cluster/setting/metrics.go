package setting

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows a service to Prometheus; gauges are read when somebody scrapes.
type metrics struct {
	service *Service
	changes *prometheus.CounterVec

	rev, journal, lost, due, overdue, written, failing *prometheus.Desc
}

func newMetrics(s *Service, reg prometheus.Registerer) (*metrics, error) {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	m := &metrics{
		service: s,
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "evergate_settings_changes_total",
			Help: "Changes of settings made on this node, by where they were kept: store, or journal while the store was lost.",
		}, []string{"stored"}),
		rev:     desc("evergate_settings_rev", "Number of the last change that this node has seen in the store."),
		journal: desc("evergate_settings_journal_entries", "Changes that wait in this node's journal for the store."),
		lost:    desc("evergate_settings_store_lost", "1 while the store takes no changes, or waits for an operator's confirmation."),
		due:     desc("evergate_settings_due", "Changes that wait for their time."),
		overdue: desc("evergate_settings_overdue", "Changes whose time is over and that were not made yet."),
		written: desc("evergate_settings_last_good_timestamp_seconds", "When the copy of the settings on this node's disk was written; 0: not since the start."),
		failing: desc("evergate_settings_last_good_failing", "1 while that copy cannot be written."),
	}
	for _, stored := range []Stored{InStore, InJournal} {
		m.changes.WithLabelValues(string(stored))
	}
	if reg == nil {
		return m, nil
	}
	return m, reg.Register(m)
}

// change counts a change.
func (m *metrics) change(stored Stored) { m.changes.WithLabelValues(string(stored)).Inc() }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	m.changes.Describe(out)
	for _, d := range []*prometheus.Desc{m.rev, m.journal, m.lost, m.due, m.overdue, m.written, m.failing} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.changes.Collect(out)
	s := m.service.State()
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge(m.rev, float64(s.Rev))
	gauge(m.journal, float64(s.Journal))
	gauge(m.lost, truth(s.Lost))
	gauge(m.due, float64(s.Due))
	gauge(m.overdue, float64(s.Overdue))
	gauge(m.failing, truth(s.LastGoodError != nil))
	if s.LastGood.IsZero() {
		gauge(m.written, 0)
	} else {
		gauge(m.written, float64(s.LastGood.UnixMilli())/1000)
	}
}
