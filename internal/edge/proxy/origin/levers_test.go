package origin

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// next makes the Origin that a reload would start after o.
func (w *world) next(t testing.TB, o *Origin, cfg *config.Origin) *Origin {
	t.Helper()
	next, err := New("shop", cfg, w.options())
	if err != nil {
		t.Fatal(err)
	}
	next.Reuse(o)
	return next
}

// begin ends o and starts next in its place.
func begin(t testing.TB, o, next *Origin) {
	t.Helper()
	next.Start()
	o.Retire()
	t.Cleanup(next.Retire)
}

// leversOf says where the levers of o stand, as it acts on them.
func leversOf(o *Origin) string {
	s := o.Snapshot()
	words := fmt.Sprintf("paused %t, limit %d", s.Paused, s.MaxInFlight)
	for _, v := range s.Servers {
		words += fmt.Sprintf(", %s %v weight %d", v.Configured, v.State, v.Weight)
	}
	return words
}

// turnAll turns each lever away from its default.
func turnAll(t testing.TB, o *Origin) {
	t.Helper()
	o.SetPaused(true)
	o.SetMaxInFlight(5)
	if err := errors.Join(o.SetServerState(s1, "drain", "a test"), o.SetServerWeight(s2, 7)); err != nil {
		t.Fatal(err)
	}
}

func TestLevers_ofTheOriginThatIsInForceActAtOnce(t *testing.T) {
	const untouched = "paused false, limit 0, " + s1 + " up weight 1, " + s2 + " up weight 1"
	const turned = "paused true, limit 5, " + s1 + " draining weight 1, " + s2 + " up weight 7"
	w := &world{}
	o := w.open(t, settingsFor(a1, a2))
	if got := leversOf(o); got != untouched {
		t.Fatalf("at first: %s", got)
	}

	next := w.next(t, o, settingsFor(a1, a2))
	turnAll(t, next)
	if got := leversOf(o); got != untouched {
		t.Errorf("levers of an origin that is still to come were turned, and this one stands at: %s", got)
	}
	begin(t, o, next)
	if got := leversOf(next); got != turned {
		t.Errorf("an origin whose levers were turned before its start stands at: %s", got)
	}

	o.SetPaused(false)
	o.SetMaxInFlight(99)
	if got := leversOf(next); got != turned {
		t.Errorf("levers of a retired origin were turned, and its successor stands at: %s", got)
	}

	last := w.next(t, next, settingsFor(a1, a2))
	begin(t, next, last)
	want := "paused false, limit 0, " + s1 + " ramping weight 1, " + s2 + " up weight 1"
	if got := leversOf(last); got != want {
		t.Errorf("after a reload to a configuration without levers: %s", got)
	}
}

func TestLevers_standWhereTheConfigurationSays(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, "unix:/run/app.sock")
	cfg.Paused, cfg.MaxInFlight.Origin = true, 3
	cfg.Servers[0].State, cfg.Servers[1].Weight = "maint", 9
	o := w.open(t, cfg)
	want := "paused true, limit 3, " + s1 + " maint weight 1, unix:/run/app.sock up weight 9"
	if got := leversOf(o); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := o.SetServerState("unix:/run/app.sock", "drain", "a socket has levers too"); err != nil {
		t.Error(err)
	}
	if s := stateOf(t, o, "unix:/run/app.sock"); s != Draining {
		t.Errorf("%v, want draining", s)
	}
}

func TestLevers_ofAServerOfThatName(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1))
	if err := o.SetServerWeight("10.9.9.9:80", 2); !errors.Is(err, ErrNoServer) {
		t.Errorf("%v, want ErrNoServer", err)
	}
	if err := o.SetServerState(s1, "down", ""); err == nil || errors.Is(err, ErrNoServer) {
		t.Errorf("%v, want an error that says which states there are", err)
	}
	if err := o.SetServerWeight(s1, 0); err != nil || o.Snapshot().Servers[0].Weight != 1 {
		t.Error("a weight of 0 would leave the choice without a server")
	}
}

func TestLevers_ofAHostNameHoldForAllThatItResolvesTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		const name, one, two = "app.test:80", "app.test:80[10.0.0.1]", "app.test:80[10.0.0.2]"
		w.resolve("app.test", "10.0.0.1")
		o := w.open(t, settingsFor("http://"+name, a2))
		// Before the name was looked up even once.
		if err := errors.Join(o.SetServerState(name, "drain", "they move"), o.SetServerWeight(name, 4)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := o.Snapshot().Servers[0]; s.Name != one || s.State != Draining || s.Reason != "they move" || s.Weight != 4 {
			t.Errorf("what the name resolved to: %+v", s)
		}
		w.resolve("app.test", "10.0.0.1", "10.0.0.2")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if s := o.Snapshot().Servers[1]; s.Name != two || s.State != Draining || s.Weight != 4 {
			t.Errorf("what it resolved to later: %+v", s)
		}
		for range 20 {
			if s := attempt(t, o, get, exchange.Success, 200); s != s2 {
				t.Fatalf("%s got a request", s)
			}
		}
		w.resolve("app.test", "10.0.0.2") // the first one goes, and comes back
		time.Sleep(10 * time.Second)
		w.resolve("app.test", "10.0.0.1", "10.0.0.2")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, one); s != Draining {
			t.Errorf("the one that came back is %v", s)
		}
		if err := o.SetServerState(name, "up", "they have moved"); err != nil {
			t.Fatal(err)
		}
		if a, b := stateOf(t, o, one), stateOf(t, o, two); a != Ramping || b != Ramping {
			t.Errorf("given back they are %v and %v, want both ramping", a, b)
		}
	})
}

func TestLevers_aServerThatAReloadBringsBackComesAsItsLeverSays(t *testing.T) {
	w := &world{}
	with := func(state string) *config.Origin {
		cfg := settingsFor(a1, a2)
		cfg.Servers[0].State = state // as the lever has been laid over the file
		return cfg
	}
	o := w.open(t, with("drain"))
	o = w.reload(t, o, settingsFor(a2))
	if n := len(o.Snapshot().Servers); n != 1 {
		t.Fatalf("%d servers", n)
	}
	o = w.reload(t, o, with("drain"))
	if s := stateOf(t, o, s1); s != Draining {
		t.Errorf("%v, want draining", s)
	}
}

func TestLevers_aServerThatIsStillLeavingComesBackAsItsLeverSays(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1, a2))
	v := visitIn(t, o, get)
	l := acquire(t, v, s2)
	o = w.reload(t, o, settingsFor(a2))
	back := settingsFor(a1, a2)
	back.Servers[0].State = "drain"
	o = w.reload(t, o, back)
	if s := o.Snapshot().Servers[0]; s.State != Draining || s.Reason != "configured so" || s.Leaving || s.InFlight != 1 {
		t.Errorf("%+v", s)
	}
	l.Done()
	v.Leave()
	if err := o.SetServerState(s1, "up", "done"); err != nil || stateOf(t, o, s1) != Ramping {
		t.Errorf("%v, %v", err, stateOf(t, o, s1))
	}
}

func TestLevers_aLoweredLimitLetsNobodyInUntilItIsMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		var all []*waiter
		for range 4 {
			all = append(all, wait(o, get))
			synctest.Wait()
		}
		o.SetMaxInFlight(2)
		late := wait(o, get)
		synctest.Wait()
		for i, r := range all[:3] {
			if late.ended() {
				t.Fatalf("let in beside %d others, the limit is 2", 4-i)
			}
			r.finish(exchange.Success, 200)
			synctest.Wait()
		}
		if !late.served() {
			t.Error("one of two slots is free, and somebody waits")
		}
		all[3].finish(exchange.Success, 200)
		late.finish(exchange.Success, 200)
	})
}

func TestLevers_whoMayGoOnIsWokenAtOnce(t *testing.T) {
	tests := []struct {
		name        string
		turn, again func(o *Origin) // stops everybody, and lets them go on
	}{
		{"when a pause ends", func(o *Origin) { o.SetPaused(true) }, func(o *Origin) { o.SetPaused(false) }},
		{"when the limit is raised", func(o *Origin) { o.SetMaxInFlight(1) }, func(o *Origin) { o.SetMaxInFlight(10) }},
		{"when the limit is gone", func(o *Origin) { o.SetMaxInFlight(1) }, func(o *Origin) { o.SetMaxInFlight(0) }},
		{
			"when the last server is given back",
			func(o *Origin) { _ = o.SetServerState(s1, "drain", "deploy") }, func(o *Origin) { _ = o.SetServerState(s1, "up", "done") },
		},
		{
			"when the last server comes back from maint unchecked",
			func(o *Origin) { _ = o.SetServerState(s1, "maint", "deploy") }, func(o *Origin) { _ = o.SetServerState(s1, "up", "done") },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{}
				o := w.open(t, settingsFor(a1))
				first := wait(o, get)
				synctest.Wait()
				tt.turn(o)
				var all []*waiter
				for range 5 {
					all = append(all, wait(o, get))
				}
				synctest.Wait()
				if slices.ContainsFunc(all, (*waiter).ended) {
					t.Fatal("somebody does not wait")
				}
				start := time.Now()
				tt.again(o)
				synctest.Wait()
				for i, r := range all {
					if !r.served() {
						t.Errorf("request %d waits", i)
					}
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("it took %v", d)
				}
				for _, r := range append(all, first) {
					r.finish(exchange.Success, 200)
				}
			})
		})
	}
}

func TestLevers_withTheLastServerDrainedRequestsWaitAsLongAsTheQueueSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.Queue.Timeout = config.Duration(5 * time.Second)
		o := w.open(t, cfg)
		underWay := wait(o, get)
		synctest.Wait()
		if err := o.SetServerState(s1, "drain", "deploy"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r := wait(o, get)
		<-r.done
		if !errors.Is(r.err, ErrQueueDeadline) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v, want the queue's deadline after 5s", r.err, time.Since(start))
		}
		if !underWay.served() {
			t.Error("a request that was under way did not go on")
		}
		r.finish(exchange.Success, 200)
		underWay.finish(exchange.Success, 200)
	})
}

func TestLevers_whatComesBackIsCheckedFirstAndStartsSlowly(t *testing.T) {
	tests := []struct {
		name  string
		words []string // that the lever goes through
		want  []string // states
	}{
		{"from drain, where checks went on", []string{"drain", "up"}, []string{"draining", "ramping", "up"}},
		{"from maint", []string{"maint", "up"}, []string{"maint", "unknown", "ramping", "up"}},
		{"from maint by way of drain", []string{"maint", "drain", "up"}, []string{"maint", "draining", "unknown", "ramping", "up"}},
	}
	for _, tt := range tests {
		for _, urls := range [][]string{{a1}, {a1, a2}} {
			t.Run(fmt.Sprintf("%s, of %d servers", tt.name, len(urls)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &world{}
					o := w.open(t, withChecks(settingsFor(urls...)))
					time.Sleep(30 * time.Second)
					w.mu.Lock()
					w.changes = nil
					w.mu.Unlock()
					for _, word := range tt.words {
						if err := o.SetServerState(s1, word, "a test"); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(30 * time.Second)
					synctest.Wait()
					if got := w.passed(s1); !slices.Equal(got, tt.want) {
						t.Errorf("%v, want %v", got, tt.want)
					}
				})
			})
		}
	}
}

func TestLevers_theLastReasonForADrainIsShown(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1, a2))
	for _, reason := range []string{"deploy", "it smells of smoke"} {
		if err := o.SetServerState(s1, "drain", reason); err != nil {
			t.Fatal(err)
		}
		if s := o.Snapshot().Servers[0]; s.State != Draining || s.Reason != reason {
			t.Errorf("%v, %q, want draining, %q", s.State, s.Reason, reason)
		}
	}
	if got := w.passed(s1); !slices.Equal(got, []string{"up", "draining"}) {
		t.Errorf("%v were told, want one change", got)
	}
}
