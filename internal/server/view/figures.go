package view

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

// The figures' times.
const (
	SampleEvery  = 2 * time.Second  // how old a figure may be (design, promise 9)
	figureWindow = 10 * time.Second // over which rates are taken
	keptSamples  = int(figureWindow/SampleEvery) + 1
)

// The metrics that the figures are read from. Reading the same numbers as whoever
// scrapes keeps two screens from disagreeing.
const (
	requestsMetric    = "evergate_requests_total"
	inFlightMetric    = "evergate_requests_in_flight"
	retriesMetric     = "evergate_retries_total"
	connectionsMetric = "evergate_connections"
)

// Figures keeps the last samples of the metrics and makes rates of them. Safe for
// concurrent use.
type Figures struct {
	metrics prometheus.Gatherer

	mu      sync.Mutex // guards the fields below
	samples []sample   // the oldest first, keptSamples at most
	now     api.Figures
}

// sample is the counters at one moment.
type sample struct {
	at              time.Time
	total           count
	retries         float64
	byRoute         map[routeLabels]count
	inFlight, conns int
}

// count is requests, and those of them with a status of 500 or more.
type count struct{ requests, errors float64 }

func (c count) minus(d count) count { return count{c.requests - d.requests, c.errors - d.errors} }

// routeLabels name a route in metrics.
type routeLabels struct{ site, route string }

// NewFigures returns figures that are read from metrics at each Sample.
func NewFigures(metrics prometheus.Gatherer) *Figures { return &Figures{metrics: metrics} }

// Sample reads the metrics, at now, for the origins of cfg as they stand in
// snapshots. A metric that cannot be read counts as zero.
func (f *Figures) Sample(now time.Time, cfg *config.Config, snapshots []origin.Snapshot) {
	s := f.read(now)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.samples = append(f.samples, s)
	if len(f.samples) > keptSamples {
		f.samples = slices.Delete(f.samples, 0, len(f.samples)-keptSamples)
	}
	f.now = figures(f.samples[0], s, cfg, snapshots)
}

// Now returns the figures of the last sample.
func (f *Figures) Now() api.Figures {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now
	now.Origins = slices.Clone(now.Origins)
	return now
}

// read takes a sample.
func (f *Figures) read(now time.Time) sample {
	s := sample{at: now, byRoute: make(map[routeLabels]count)}
	families, _ := f.metrics.Gather() // what could be gathered comes beside the error
	for _, family := range families {
		for _, m := range family.GetMetric() {
			switch family.GetName() {
			case requestsMetric:
				s.request(m)
			case retriesMetric:
				s.retries += m.GetCounter().GetValue()
			case inFlightMetric:
				s.inFlight += int(m.GetGauge().GetValue())
			case connectionsMetric:
				s.conns += int(m.GetGauge().GetValue())
			}
		}
	}
	return s
}

// request adds one series of the requests.
func (s *sample) request(m *dto.Metric) {
	labels := make(map[string]string, 4)
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	n := count{requests: m.GetCounter().GetValue()}
	if labels["status"] == "5xx" {
		n.errors = n.requests
	}
	key := routeLabels{labels["site"], labels["route"]}
	known := s.byRoute[key]
	s.byRoute[key] = count{known.requests + n.requests, known.errors + n.errors}
	s.total = count{s.total.requests + n.requests, s.total.errors + n.errors}
}

// figures says what happened between two samples.
func figures(first, last sample, cfg *config.Config, snapshots []origin.Snapshot) api.Figures {
	window := last.at.Sub(first.at).Seconds()
	rate := func(n float64) float64 {
		if window <= 0 {
			return 0 // the first sample
		}
		return max(n, 0) / window
	}
	total := last.total.minus(first.total)
	out := api.Figures{
		At: last.at, Window: window,
		Requests: rate(total.requests), Errors: rate(total.errors), Retries: rate(last.retries - first.retries),
		InFlight: last.inFlight, Connections: last.conns,
	}
	byOrigin := make(map[string]count)
	for _, site := range cfg.Sites {
		// Routes of one name share their series, and so the first one's origin.
		counted := make(map[string]bool)
		for _, r := range site.Routes {
			key := routeLabels{site.Hosts[0], cmp.Or(r.Name, r.Path)}
			if r.Origin == "" || counted[key.route] {
				continue
			}
			counted[key.route] = true
			n, sum := last.byRoute[key].minus(first.byRoute[key]), byOrigin[r.Origin]
			byOrigin[r.Origin] = count{sum.requests + n.requests, sum.errors + n.errors}
		}
	}
	sorted := slices.SortedFunc(slices.Values(snapshots), func(a, b origin.Snapshot) int { return cmp.Compare(a.Name, b.Name) })
	for _, o := range sorted {
		out.Queued += o.Queue.Depth
		f := api.OriginFigures{
			Name: o.Name, Requests: rate(byOrigin[o.Name].requests), Errors: rate(byOrigin[o.Name].errors),
			InFlight: o.InFlight, Queued: o.Queue.Depth,
		}
		for _, s := range o.Servers {
			if s.Leaving {
				continue
			}
			f.Servers++
			if s.State.Eligible() {
				f.Usable++
			}
		}
		out.Origins = append(out.Origins, f)
	}
	return out
}
