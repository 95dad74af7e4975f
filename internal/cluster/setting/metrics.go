package setting

import "github.com/prometheus/client_golang/prometheus"

// metrics shows a service to Prometheus; gauges are read when somebody scrapes.
type metrics struct {
	service *Service
	changes *prometheus.CounterVec

	rev, journal, lost, doubt, due, overdue, written, failing, damaged *prometheus.Desc
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
		doubt:   desc("evergate_settings_store_unconfirmed", "1 while the store is another one than it was and waits for an operator's word."),
		damaged: desc("evergate_settings_journal_damaged_lines", "Lines of the journal that could not be read when Evergate started."),
		due:     desc("evergate_settings_due", "Changes that wait for their time."),
		overdue: desc("evergate_settings_overdue", "Changes whose time has been over for five seconds and that were not made yet."),
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

// changed counts a change.
func (m *metrics) changed(stored Stored) { m.changes.WithLabelValues(string(stored)).Inc() }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	m.changes.Describe(out)
	for _, d := range []*prometheus.Desc{m.rev, m.journal, m.lost, m.doubt, m.damaged, m.due, m.overdue, m.written, m.failing} {
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
	gauge(m.doubt, truth(s.Doubt != ""))
	gauge(m.damaged, float64(s.Damaged))
	gauge(m.due, float64(s.Due))
	gauge(m.overdue, float64(s.Overdue))
	gauge(m.failing, truth(s.LastGoodError != nil))
	if s.LastGood.IsZero() {
		gauge(m.written, 0)
	} else {
		gauge(m.written, float64(s.LastGood.UnixMilli())/1000)
	}
}
