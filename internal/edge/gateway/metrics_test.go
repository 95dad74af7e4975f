package gateway

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/evergate/evergate/internal/exchange"
)

func TestMetrics_CountExchanges(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := newMetrics(reg)
	c := m.of("shop.test", "/*")
	for _, x := range []exchange.Exchange{
		{Method: "GET", Status: 200, Duration: time.Second, BytesOut: 5},
		{Method: "GET", Status: 204},
		{Method: "POST", Status: 503, BytesIn: 7, Denial: "queue_full"},
		{Method: "MKCOL-with-any-name-at-all", Status: 499},
		{Method: "GET", Abort: "client_gone"},
		{Method: "GET", Status: 101, Upgraded: true, Duration: time.Hour},
	} {
		m.observe(c, &x)
	}
	m.refuse("queue_full")
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP evergate_requests_total Requests that have ended, by method and status class (499: the visitor left before an answer; none: cut before one).
# TYPE evergate_requests_total counter
evergate_requests_total{method="GET",route="/*",site="shop.test",status="1xx"} 1
evergate_requests_total{method="GET",route="/*",site="shop.test",status="2xx"} 2
evergate_requests_total{method="GET",route="/*",site="shop.test",status="none"} 1
evergate_requests_total{method="POST",route="/*",site="shop.test",status="5xx"} 1
evergate_requests_total{method="other",route="/*",site="shop.test",status="499"} 1
# HELP evergate_received_bytes_total Request body bytes read from visitors.
# TYPE evergate_received_bytes_total counter
evergate_received_bytes_total{route="/*",site="shop.test"} 7
# HELP evergate_sent_bytes_total Response body bytes sent to visitors, compressed where they were.
# TYPE evergate_sent_bytes_total counter
evergate_sent_bytes_total{route="/*",site="shop.test"} 5
# HELP evergate_requests_refused_total Requests that Evergate answered itself, by why.
# TYPE evergate_requests_refused_total counter
evergate_requests_refused_total{reason="queue_full"} 1
# HELP evergate_responses_aborted_total Responses cut after they had begun, by why.
# TYPE evergate_responses_aborted_total counter
evergate_responses_aborted_total{reason="client_gone"} 1
# HELP evergate_requests_in_flight Requests under way, upgraded connections among them.
# TYPE evergate_requests_in_flight gauge
evergate_requests_in_flight 0
`), "evergate_requests_total", "evergate_received_bytes_total", "evergate_sent_bytes_total", "evergate_requests_refused_total",
		"evergate_responses_aborted_total", "evergate_requests_in_flight")
	if err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "evergate_request_seconds"); n != 1 || err != nil {
		t.Errorf("%d histograms, %v", n, err)
	}
}

func TestMetrics_RoutesThatAreGoneAreForgotten(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	g := New(Options{Registerer: reg})
	prepare := func(yaml string) *Runtime {
		rt, err := g.Prepare(load(t, yaml), new(servers), nil)
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	g.Use(prepare(plain))
	for _, path := range []string{"/a", "/b"} {
		rt := prepare(strings.ReplaceAll(plain, "/*", path))
		g.Use(rt)
		g.metrics.observe(rt.sites[0].routes[0].counters, &exchange.Exchange{Method: "GET", Status: 200})
	}
	prepare(strings.ReplaceAll(plain, "/*", "/never")).Discard() // the listeners of its configuration could not be opened
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "route" && l.GetValue() != "/b" && l.GetValue() != "" {
					t.Errorf("%s still shows %s", f.GetName(), l.GetValue())
				}
			}
		}
	}
}
