package origin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/exchange"
	"pgregory.net/rapid"
)

// Random arrivals, ends, failures, departures and levers. After each step:
// no bound is exceeded, nobody waits for something that is free, and whoever
// was served was the first in the order of arrival who could be.
func TestVisit_propertiesOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A bubble does not allow T.Deadline, which rapid asks a *testing.T for.
		rapid.Check(struct{ *testing.T }{t}, func(t *rapid.T) {
			w := &world{}
			cfg := settingsFor(a1, a2)
			cfg.MaxInFlight.Origin = rapid.IntRange(0, 6).Draw(t, "origin limit")
			cfg.MaxInFlight.Server = rapid.IntRange(1, 3).Draw(t, "server limit")
			cfg.Queue.MaxRequests = rapid.IntRange(1, 12).Draw(t, "queue")
			cfg.Balance.Policy = rapid.SampledFrom([]string{"least_requests", "round_robin", "hash"}).Draw(t, "policy")
			cfg.Health.SlowStart = 0
			cfg.Health.ConsecutiveFailures = 1000 // states are the next test's business
			o, err := New("shop", cfg, w.options())
			if err != nil {
				t.Fatal(err)
			}
			o.Start()
			defer func() { o.Retire() }()
			g := o.group
			var all []*waiter // in the order of arrival
			defer func() {
				for _, r := range all {
					r.finish(exchange.Canceled, 0)
				}
				synctest.Wait()
				s := o.Snapshot()
				if s.InFlight != 0 || s.Queue.Depth != 0 || s.Queue.Bytes != 0 || s.Servers[0].InFlight+s.Servers[1].InFlight != 0 {
					t.Fatalf("something is left: %+v", s)
				}
			}()
			for range rapid.IntRange(1, 60).Draw(t, "steps") {
				before := o.Snapshot()
				waiting := make(map[*waiter]bool)
				for _, r := range all {
					waiting[r] = !r.ended()
				}
				what := rapid.IntRange(0, 12).Draw(t, "what")
				i := -1
				if len(all) > 0 {
					i = rapid.IntRange(0, len(all)-1).Draw(t, "which")
				}
				switch {
				case what < 4 || i < 0:
					all = append(all, wait(o, Arrival{Safe: what%2 == 0, Client: fmt.Sprint(what), HeldBytes: int64(what)}))
				case what < 7: // ends, or its client is gone
					all[i].finish(exchange.Success, 200)
					all = slices.Delete(all, i, i+1)
				case what == 7: // failed, and asks for the other server at its old place
					if r := all[i]; r.served() {
						old, used := r.lease, []string{r.lease.Server()}
						old.Report(exchange.Reset, 0)
						old.Done()
						ctx, cancel := context.WithCancel(context.Background())
						r.cancel, r.done, r.lease = cancel, make(chan struct{}), nil
						go func() {
							defer close(r.done)
							r.lease, r.err = r.visit.Acquire(ctx, used, true)
						}()
					}
				case what == 8:
					o.SetPaused(rapid.Bool().Draw(t, "paused"))
				case what == 9:
					o.SetMaxInFlight(rapid.IntRange(0, 6).Draw(t, "origin limit"))
				case what == 10: // a reload, with another bound for the servers
					cfg.MaxInFlight.Server = rapid.IntRange(1, 3).Draw(t, "server limit")
					next, err := New("shop", cfg, w.options())
					if err != nil {
						t.Fatal(err)
					}
					next.Reuse(o)
					next.Start()
					o.Retire()
					o = next
				case what == 11:
					state := rapid.SampledFrom([]string{"up", "drain", "maint"}).Draw(t, "state")
					if err := o.SetServerState(s1, state, "a lever"); err != nil {
						t.Fatal(err)
					}
				case what == 12:
					if err := o.SetServerWeight(s2, rapid.IntRange(1, 1000).Draw(t, "weight")); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()

				if problem := brokenRule(g, cfg.Queue.MaxRequests, before); problem != "" {
					t.Fatal(problem)
				}
				// Whoever was served now leaves nobody behind him who came earlier,
				// waited already, and would have taken any server.
				for k, r := range all {
					if !waiting[r] || !r.served() {
						continue
					}
					for _, earlier := range all[:k] {
						if waiting[earlier] && !earlier.ended() && len(earlier.visit0().used) == 0 {
							t.Fatal("overtaken in the queue")
						}
					}
				}
			}
		})
	})
}

// brokenRule says what is wrong with g, "" for nothing. before is how it was
// one step ago: a lowered bound may be exceeded by those who were there already.
func brokenRule(g *group, most int, before Snapshot) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, s := range g.servers {
		if n := s.inFlight; n > s.full && n > before.Servers[i].InFlight {
			return fmt.Sprintf("%d on %s, limit %d", n, s.name, s.full)
		}
	}
	if g.levers.maxInFlight > 0 && g.inFlight > g.levers.maxInFlight && g.inFlight > before.InFlight {
		return fmt.Sprintf("%d in the origin, limit %d", g.inFlight, g.levers.maxInFlight)
	}
	if n := g.entering.n + g.acquiring.n; n > most {
		return fmt.Sprintf("%d wait, limit %d", n, most)
	}
	var bytes int64
	for _, q := range []*queue{&g.entering, &g.acquiring} {
		for v := q.head; v != nil; v = v.next {
			bytes += v.arrival.HeldBytes
		}
	}
	if bytes != g.bytes {
		return fmt.Sprintf("%d bytes wait, counted %d", bytes, g.bytes)
	}
	if g.levers.paused {
		return ""
	}
	if g.entering.n > 0 && g.slotFree() {
		return "somebody waits for a slot of the origin that is free"
	}
	for v := g.acquiring.head; v != nil; v = v.next {
		if s := g.choose(v, v.used, time.Now()); s != nil {
			return "somebody waits for a slot that is free on " + s.name
		}
	}
	return ""
}

// visit0 is the visit of a request that may still be on its way into the origin.
func (w *waiter) visit0() *visit {
	if v, ok := w.visit.(*visit); ok {
		return v
	}
	return &visit{}
}

// TestVisit_stress runs everything at once on real time, for the race detector,
// and counts with its own counters.
func TestVisit_stress(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, a2, "http://10.0.0.3:80")
	cfg.MaxInFlight.Server, cfg.MaxInFlight.Origin = 4, 10
	cfg.Queue.MaxRequests = 20
	cfg.Health.Eject.Base, cfg.Health.Eject.Max = 1e6, 5e6 // 1 to 5 ms
	cfg.Health.SlowStart = 2e6
	o := w.open(t, cfg)
	var busy, served, refused atomic.Int64
	per := map[string]*atomic.Int64{s1: {}, s2: {}, "10.0.0.3:80": {}}
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for range 150 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(50))*time.Millisecond)
				v, err := o.Enter(ctx, Arrival{Safe: r.IntN(2) == 0, HeldBytes: int64(r.IntN(100))})
				if err != nil {
					refused.Add(1)
					cancel()
					continue
				}
				if n := busy.Add(1); n > 10 {
					t.Errorf("%d requests in an origin of 10", n)
				}
				var used []string
				for range 3 {
					l, err := v.Acquire(ctx, used, r.IntN(5) > 0)
					if err != nil {
						break
					}
					if n := per[l.Server()].Add(1); n > 4 {
						t.Errorf("%d requests on a server of 4", n)
					}
					served.Add(1)
					outcome := exchange.Success
					if r.IntN(3) == 0 {
						outcome = exchange.Reset
					}
					if r.IntN(10) > 0 {
						l.Report(outcome, 200)
					}
					per[l.Server()].Add(-1)
					l.Done()
					if outcome == exchange.Success {
						break
					}
					used = append(used, l.Server())
				}
				busy.Add(-1)
				v.Leave()
				cancel()
			}
		})
	}
	stop := make(chan struct{})
	var chaos sync.WaitGroup
	chaos.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			switch i % 4 {
			case 0:
				w.server(s1).set(i%8 == 0, 0)
			case 1:
				o.SetPaused(i%8 == 1)
			case 2:
				_ = o.SetServerState(s2, []string{"drain", "up", "maint", "up"}[i/4%4], "chaos")
			case 3:
				next, err := New("shop", cfg, w.options())
				if err != nil {
					t.Error(err)
					return
				}
				next.Reuse(o)
				next.Start()
				next.Snapshot()
			}
		}
	})
	group.Wait()
	close(stop)
	chaos.Wait()
	if s := o.Snapshot(); s.InFlight != 0 || s.Queue.Depth != 0 || s.Queue.Bytes != 0 {
		t.Errorf("something is left: %+v", s)
	}
	if served.Load() == 0 {
		t.Error("nobody was served")
	}
	t.Logf("%d attempts, %d refused", served.Load(), refused.Load())
}

func oneRequest(tb testing.TB, o *Origin, a Arrival) {
	v, err := o.Enter(context.Background(), a)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := v.Acquire(context.Background(), nil, true)
	if err != nil {
		tb.Fatal(err)
	}
	l.Report(exchange.Success, 200)
	l.Done()
	v.Leave()
}

func TestVisit_allocations(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1, a2))
	if n := testing.AllocsPerRun(1000, func() { oneRequest(t, o, get) }); n > 1 {
		t.Errorf("%v allocations for a request that does not wait, want 1: the visit", n)
	}
}

func BenchmarkVisit(b *testing.B) {
	for _, policy := range []string{"least_requests", "round_robin", "hash"} {
		b.Run(policy, func(b *testing.B) {
			w := &world{}
			cfg := settingsFor(a1, a2, "http://10.0.0.3:80")
			cfg.Balance.Policy = policy
			o := w.open(b, cfg)
			b.ReportAllocs()
			for b.Loop() {
				oneRequest(b, o, Arrival{Safe: true, Client: "10.1.2.3"})
			}
		})
	}
}

func BenchmarkVisit_parallel(b *testing.B) {
	w := &world{}
	o := w.open(b, settingsFor(a1, a2, "http://10.0.0.3:80"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			oneRequest(b, o, get)
		}
	})
}

// BenchmarkVisit_queued is a hand-over: one slot, and always somebody waiting.
func BenchmarkVisit_queued(b *testing.B) {
	w := &world{}
	cfg := settingsFor(a1)
	cfg.MaxInFlight.Server = 1
	o := w.open(b, cfg)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			oneRequest(b, o, get)
		}
	})
}
