package lease

import "github.com/prometheus/client_golang/prometheus"

// jobMetrics tells of the jobs when it is asked, from their state.
type jobMetrics struct {
	jobs           *Jobs
	held, run, bad *prometheus.Desc
}

func newJobMetrics(j *Jobs) *jobMetrics {
	name := []string{"job"}
	return &jobMetrics{
		jobs: j,
		held: prometheus.NewDesc("evergate_job_held", "1 while this node does the job, 0 otherwise.", name, nil),
		run:  prometheus.NewDesc("evergate_job_runs_total", "Rounds of the job on this node that ended well.", name, nil),
		bad:  prometheus.NewDesc("evergate_job_failures_total", "Rounds of the job on this node that ended by an error or a panic.", name, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *jobMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.held
	ch <- m.run
	ch <- m.bad
}

// Collect implements prometheus.Collector.
func (m *jobMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, s := range m.jobs.State() {
		held := 0.0
		if s.Held {
			held = 1
		}
		ch <- prometheus.MustNewConstMetric(m.held, prometheus.GaugeValue, held, s.Name)
		ch <- prometheus.MustNewConstMetric(m.run, prometheus.CounterValue, float64(s.Runs), s.Name)
		ch <- prometheus.MustNewConstMetric(m.bad, prometheus.CounterValue, float64(s.Failures), s.Name)
	}
}
