package view

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

func TestFigures_AreRatesOverTheLastSamples(t *testing.T) {
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: requestsMetric}, []string{"site", "route", "status"})
	retries := prometheus.NewCounter(prometheus.CounterOpts{Name: retriesMetric})
	underWay := prometheus.NewGauge(prometheus.GaugeOpts{Name: inFlightMetric})
	reg.MustRegister(requests, retries, underWay)
	cfg := &config.Config{Sites: []*config.Site{{Hosts: []string{"a.example"}, Routes: []*config.Route{
		{Path: "/*", Origin: "app"}, {Name: "other", Path: "/x", Origin: "files"}, {Path: "/fixed"},
	}}}}
	snapshots := []origin.Snapshot{
		{Name: "files"},
		{Name: "app", InFlight: 2, Queue: origin.QueueSnapshot{Depth: 3}, Servers: []origin.ServerSnapshot{
			{State: origin.Up}, {State: origin.Ejected}, {State: origin.Draining, Leaving: true},
		}},
	}
	f, start := NewFigures(reg), time.Unix(1000, 0)

	requests.WithLabelValues("a.example", "/*", "2xx").Add(1000)
	f.Sample(start, cfg, snapshots)
	if now := f.Now(); now.Requests != 0 || now.Window != 0 {
		t.Errorf("the first sample has no rate: %+v", now)
	}

	requests.WithLabelValues("a.example", "/*", "2xx").Add(15)
	requests.WithLabelValues("a.example", "/*", "5xx").Add(5)
	requests.WithLabelValues("a.example", "other", "2xx").Add(10)
	retries.Add(4)
	underWay.Set(7)
	f.Sample(start.Add(10*time.Second), cfg, snapshots)
	now := f.Now()
	if now.Requests != 3 || now.Errors != 0.5 || now.Retries != 0.4 || now.InFlight != 7 || now.Queued != 3 || now.Window != 10 {
		t.Errorf("got %+v", now)
	}
	app, files := now.Origins[0], now.Origins[1]
	if app.Name != "app" || app.Requests != 2 || app.Errors != 0.5 || app.Servers != 2 || app.Usable != 1 || app.InFlight != 2 || app.Queued != 3 {
		t.Errorf("app: %+v", app)
	}
	if files.Name != "files" || files.Requests != 1 {
		t.Errorf("files: %+v", files)
	}
}

func TestFigures_ForgetWhatIsOlderThanTheWindow(t *testing.T) {
	reg := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: requestsMetric}, []string{"site", "route", "status"})
	reg.MustRegister(requests)
	f, at := NewFigures(reg), time.Unix(1000, 0)
	requests.WithLabelValues("a", "/*", "2xx").Add(100)
	for range 2 * keptSamples {
		f.Sample(at, &config.Config{}, nil)
		at = at.Add(SampleEvery)
		requests.WithLabelValues("a", "/*", "2xx").Add(2)
	}
	if now := f.Now(); now.Requests != 1 || now.Window != figureWindow.Seconds() {
		t.Errorf("got %+v, want 1 a second over %s", now, figureWindow)
	}
}
