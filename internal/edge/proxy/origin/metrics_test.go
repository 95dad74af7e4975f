package origin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/exchange"
	"github.com/prometheus/client_golang/prometheus"
)

// scrape returns the series of reg with their values, those that are 0 left out.
func scrape(t *testing.T, reg *prometheus.Registry) []string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			v := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if v != 0 {
				lines = append(lines, fmt.Sprintf("%s{%s} %g", f.GetName(), strings.Join(labels, ","), v))
			}
		}
	}
	return lines
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		reg := prometheus.NewRegistry()
		m, err := NewMetrics(reg)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := NewMetrics(reg); err != nil || again != m {
			t.Errorf("registered twice: %v", err)
		}
		start := func(previous *Origin, urls ...string) *Origin {
			cfg := settingsFor(urls...)
			cfg.MaxInFlight.Server, cfg.Queue.MaxRequests = 1, 2
			opts := w.options()
			opts.Metrics = m
			o, err := New("shop", cfg, opts)
			if err != nil {
				t.Fatal(err)
			}
			if previous != nil {
				o.Reuse(previous)
			}
			o.Start()
			return o
		}
		o := start(nil, a1, a2)
		failOn(t, o, s1, 5)
		var all []*waiter
		for range 4 { // one served, two wait, one too many
			all = append(all, wait(o, Arrival{HeldBytes: 7}))
			synctest.Wait()
		}
		want := []string{
			"evergate_ejections_total{shop,failures," + s1 + "} 1",
			"evergate_in_flight{shop," + s2 + "} 1",
			"evergate_queue_bytes{shop} 14",
			"evergate_queue_depth{default,shop} 2",
			"evergate_queue_left_total{shop,overflow} 1",
			"evergate_queue_wait_seconds{shop} 1",
			"evergate_server_state{shop," + s1 + ",ejected} 1",
			"evergate_server_state{shop," + s2 + ",up} 1",
		}
		if got := scrape(t, reg); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		all[1].finish(exchange.Canceled, 0)
		time.Sleep(time.Second)
		all[0].finish(exchange.Success, 200)
		synctest.Wait()
		for _, r := range all {
			r.finish(exchange.Success, 200)
		}
		next := start(o, a2)
		o.Retire()
		want = []string{
			"evergate_queue_left_total{shop,client_gone} 1",
			"evergate_queue_left_total{shop,overflow} 1",
			"evergate_queue_left_total{shop,served} 1",
			"evergate_queue_wait_seconds{shop} 3",
			"evergate_server_state{shop," + s2 + ",up} 1",
		}
		if got := scrape(t, reg); !slices.Equal(got, want) {
			t.Errorf("after a reload without the first server: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// Taken out and put back while a visit of the old one is still there.
		r := wait(next, get)
		synctest.Wait()
		next.Retire()
		again := start(nil, a2)
		if got := scrape(t, reg); !slices.Contains(got, "evergate_in_flight{shop,"+s2+"} 1") {
			t.Errorf("two origins of one name: got\n%s", strings.Join(got, "\n"))
		}
		r.finish(exchange.Success, 200)
		again.Retire()
		if got := scrape(t, reg); len(got) > 0 {
			t.Errorf("something is left of an origin that has gone:\n%s", strings.Join(got, "\n"))
		}
	})
}
