package proxy

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/edge/proxy/dial"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

func TestNewMetrics_AreRegisteredOnce(t *testing.T) {
	reg := prometheus.NewRegistry()
	a, err := NewMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := NewMetrics(reg); err != nil || a != b {
		t.Errorf("%p and %p, %v: want the same", a, b, err)
	}
	if _, err := reg.Gather(); err != nil {
		t.Errorf("before there is a proxy: %v", err)
	}
}

// repeats is a transport under which a library repeats requests.
type repeats struct {
	upstream.Transport
	hidden *uint64
}

func (r repeats) Stats() upstream.Stats {
	s := r.Transport.Stats()
	s.Hidden = *r.hidden
	return s
}

func TestMetrics_HiddenReplaysAreCountedOnAndOn(t *testing.T) {
	var hidden uint64
	factory := func(s origin.TransportSpec) (upstream.Transport, error) {
		tr, err := dial.Transport(s)
		return repeats{tr, &hidden}, err
	}
	d := open(t, setup{servers: []string{serve(t, ok("good")).Address}, transport: factory})
	hidden = 3
	if n := d.metric("evergate_hidden_replays_total"); n != 3 {
		t.Errorf("%v, want 3", n)
	}
	hidden = 5
	if n := d.metric("evergate_hidden_replays_total"); n != 5 {
		t.Errorf("%v, want 5", n)
	}
	hidden = 1 // another transport of the same server
	if n := d.metric("evergate_hidden_replays_total"); n != 6 {
		t.Errorf("%v, want 6: a counter never falls", n)
	}
}

func TestCounters_EveryClassAndOutcomeHasItsSeries(t *testing.T) {
	m, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	c := newCounters(m, "app")
	for class := exchange.NotConnected; class <= exchange.Forwarded; class++ {
		for outcome := exchange.Success; outcome <= exchange.Canceled; outcome++ {
			if outcome.String() == "unknown" {
				t.Fatalf("outcome %d has no word", outcome)
			}
			c.attempt(&exchange.Attempt{Server: "a", Class: class, Outcome: outcome})
		}
	}
	c.forget(map[string]bool{"a": true})
	c.forget(map[string]bool{})
	c.attempt(&exchange.Attempt{Server: "a"}) // one that ended late
	n := 0
	for v := make(chan prometheus.Metric, 100); ; n++ {
		if n == 0 {
			m.attempts.Collect(v)
			close(v)
		}
		if _, open := <-v; !open {
			break
		}
	}
	if n != 1 {
		t.Errorf("%d series after the server was forgotten, want that of the late attempt", n)
	}
}

// TestProxy_CountsWhatServersSaw runs on all transports: no library under one may
// repeat what we do not know of.
func TestProxy_CountsWhatServersSaw(t *testing.T) {
	for _, kind := range []string{"lean", "std"} {
		t.Run(kind, func(t *testing.T) {
			flaky := serve(t, ok("a"), resets, ok("a"), answers(503, "busy"), resets, ok("a"), says(""), ok("a"), resets)
			good := serve(t, ok("b"))
			d := open(t, setup{servers: []string{flaky.Address, good.Address},
				origin: "transport: " + kind + ", health: {consecutive_failures: 1000}, retry: {budget: {burst: 1000}}"})
			for i := range 30 {
				if i%3 == 0 {
					d.post("a letter")
				} else if r, x := d.get(); r.StatusCode != 200 {
					t.Errorf("request %d: %d, %s", i, r.StatusCode, x.words())
				}
			}
			saw := float64(len(flaky.requests()) + len(good.requests()))
			if n := d.metric("evergate_attempts_total"); n != saw {
				t.Errorf("%v attempts counted, the servers saw %v", n, saw)
			}
			if n := d.metric("evergate_hidden_replays_total"); n != 0 {
				t.Errorf("%v requests were repeated behind our back", n)
			}
		})
	}
}
