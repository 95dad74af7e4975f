package origin

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	a1 = "http://10.0.0.1:80"
	a2 = "http://10.0.0.2:80"
	s1 = "10.0.0.1:80"
	s2 = "10.0.0.2:80"
)

var get = Arrival{Safe: true}

func TestNew_saysWhatIsWrong(t *testing.T) {
	tests := []struct {
		name string
		cfg  func(*config.Origin)
	}{
		{"a server without scheme", func(c *config.Origin) { c.Servers[0].URL = "10.0.0.1:80" }},
		{"a server of another scheme", func(c *config.Origin) { c.Servers[0].URL = "ftp://10.0.0.1" }},
		{"a server with a path", func(c *config.Origin) { c.Servers[0].URL = "http://10.0.0.1/app" }},
		{"a unix socket without path", func(c *config.Origin) { c.Servers[0].URL = "unix:" }},
		{"h2 without TLS", func(c *config.Origin) { c.Transport = "h2" }},
		{"h2c with TLS", func(c *config.Origin) { c.Transport, c.Servers[0].URL = "h2c", "https://10.0.0.1" }},
		{"an authority that is not there", func(c *config.Origin) { c.Servers[0].URL, c.TLS.CA = "https://10.0.0.1", "nowhere.pem" }},
		{"a client certificate that is not there", func(c *config.Origin) {
			c.Servers[0].URL, c.TLS.Cert, c.TLS.Key = "https://10.0.0.1", "nowhere.pem", "nowhere.key"
		}},
		{"a hash without key", func(c *config.Origin) { c.Balance = config.Balance{Policy: "hash", Key: "header:"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{}
			cfg := settingsFor(a1)
			tt.cfg(cfg)
			if _, err := New("shop", cfg, w.options()); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestOrigin_failuresEjectAndATrialBringsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1, a2))
		failOn(t, o, s1, 5)
		if s := stateOf(t, o, s1); s != Ejected {
			t.Fatalf("%v, want ejected", s)
		}
		for range 20 {
			if s := attempt(t, o, get, exchange.Success, 200); s != s2 {
				t.Fatalf("a request went to %s, which is ejected", s)
			}
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, s1); s != Trial {
			t.Fatalf("%v, want trial", s)
		}
		if s := attempt(t, o, Arrival{}, exchange.Success, 200); s != s2 {
			t.Errorf("a POST became the trial although another server is there")
		}
		if s := attempt(t, o, get, exchange.Success, 200); s != s1 {
			t.Errorf("the next GET went to %s, want the trial", s)
		}
		if s := stateOf(t, o, s1); s != Ramping {
			t.Fatalf("%v, want ramping", s)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got, want := w.passed(s1), []string{"up", "ejected", "trial", "ramping", "up"}; !slices.Equal(got, want) {
			t.Errorf("went through %v, want %v", got, want)
		}
	})
}

func TestOrigin_aTrialNeedsAConnectionFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1, a2))
		failOn(t, o, s1, 5)
		w.server(s1).set(true, 0)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, s1); s != Ejected {
			t.Fatalf("%v, want ejected again: it refuses connections", s)
		}
		if e := o.Snapshot().Servers[0].Ejections; e != 2 {
			t.Errorf("%d ejections, want 2", e)
		}
		w.server(s1).set(false, 0)
		time.Sleep(60 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, s1); s != Trial {
			t.Fatalf("%v, want trial", s)
		}
		time.Sleep(time.Second) // no GET comes
		if s := attempt(t, o, Arrival{}, exchange.Success, 200); s != s1 {
			t.Errorf("a POST went to %s: an origin without GETs would never get its server back", s)
		}
	})
}

func TestOrigin_theLastServerIsSuspectAndRequestsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		failOn(t, o, s1, 5)
		if s := stateOf(t, o, s1); s != Suspect {
			t.Fatalf("%v, want suspect", s)
		}
		w.server(s1).set(true, 0)
		post, first, second := wait(o, Arrival{}), (*waiter)(nil), (*waiter)(nil)
		synctest.Wait()
		first = wait(o, get)
		synctest.Wait()
		second = wait(o, get)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if post.ended() || first.ended() || second.ended() {
			t.Fatal("a request was spent on a server that refuses connections")
		}
		if p, _, _ := w.server(s1).counts(); p < 4 || p > 6 {
			t.Errorf("%d trials in 5 s, want one per second", p)
		}
		w.server(s1).set(false, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		if post.ended() || !first.served() || second.ended() {
			t.Fatalf("served: post %t, first GET %t, second GET %t; want the first GET alone", post.ended(), first.served(), second.ended())
		}
		first.finish(exchange.Reset, 0)
		if s := stateOf(t, o, s1); s != Suspect {
			t.Errorf("%v after a failed trial, want suspect", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if post.ended() || !second.served() {
			t.Fatal("the second GET is not the next trial")
		}
		second.finish(exchange.Success, 200)
		synctest.Wait()
		if !post.served() {
			t.Error("the server is back, and the POST still waits")
		}
		post.finish(exchange.Success, 200)
	})
}

func TestOrigin_aConnectionLetsOnePostThroughWhenNoGetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		failOn(t, o, s1, 5)
		one := wait(o, Arrival{})
		synctest.Wait()
		two := wait(o, Arrival{})
		time.Sleep(time.Second)
		synctest.Wait()
		if !one.served() || two.ended() {
			t.Fatalf("served: %t and %t, want the first alone", one.served(), two.ended())
		}
		one.finish(exchange.Canceled, 0) // decides nothing
		synctest.Wait()
		if two.ended() {
			t.Error("a trial without a result let the next one through at once")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !two.served() {
			t.Error("after a trial without a result there was no other")
		}
		two.finish(exchange.Success, 200)
	})
}

func TestOrigin_withoutAnEligibleServerTheEjectedAreTriedTooEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1, a2))
		failOn(t, o, s1, 5)
		failOn(t, o, s2, 5)
		if a, b := stateOf(t, o, s1), stateOf(t, o, s2); a != Ejected || b != Suspect {
			t.Fatalf("%v and %v, want ejected and suspect", a, b)
		}
		w.server(s2).set(true, 0) // only the ejected one is back, long before its time
		r := wait(o, get)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !r.served() || r.lease.Server() != s1 {
			t.Fatal("the ejected server was not tried")
		}
		r.finish(exchange.Success, 200)
		if s := stateOf(t, o, s1); s != Ramping {
			t.Errorf("%v, want ramping", s)
		}
	})
}

func TestOrigin_checks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := withChecks(settingsFor(a1, a2))
		cfg.Health.Active.Port = 81
		w.server("10.0.0.2:81").set(true, 0)
		o := w.open(t, cfg)
		early := wait(o, get)
		synctest.Wait()
		if early.ended() {
			t.Fatal("served by a server that nobody has checked")
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if !early.served() || early.lease.Server() != s1 {
			t.Fatal("two checks passed, and the request still waits")
		}
		early.finish(exchange.Success, 200)
		if a, b := stateOf(t, o, s1), stateOf(t, o, s2); a != Up || b != Unknown {
			t.Errorf("%v and %v, want up and unknown", a, b)
		}
		if f := w.server("10.0.0.1:81"); f.targets[0] != "/healthz" || f.hosts[0] != "10.0.0.1" {
			t.Errorf("asked for %s of %s", f.targets[0], f.hosts[0])
		}
		w.server("10.0.0.2:81").set(false, 0)
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, s2); s != Ramping {
			t.Errorf("%v, want ramping: the other one was up already", s)
		}
		w.server("10.0.0.1:81").set(false, 500)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, s1); s != Ejected {
			t.Errorf("%v after failed checks, want ejected", s)
		}
		w.server("10.0.0.2:81").set(false, 500)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s := stateOf(t, o, s2); s != Suspect {
			t.Errorf("%v after failed checks, want suspect", s)
		}
		r := wait(o, Arrival{})
		w.server("10.0.0.1:81").set(false, 200)
		time.Sleep(1200 * time.Millisecond)
		synctest.Wait()
		if !r.served() || r.lease.Server() != s1 {
			t.Error("no server is eligible: each gets a check per second, and one pass is enough")
		}
		r.finish(exchange.Success, 200)
	})
}

func TestOrigin_checksKeepTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.open(t, withChecks(settingsFor(a1)))
		time.Sleep(501 * time.Second)
		synctest.Wait()
		if _, n, _ := w.server(s1).counts(); n < 90 || n > 112 {
			t.Errorf("%d checks in 500 s, want about 100", n)
		}
	})
}

func TestOrigin_backupsServeOnlyWhenNoPrimaryCan(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, a2)
	cfg.Servers[1].Backup = true
	o := w.open(t, cfg)
	for range 20 {
		if s := attempt(t, o, get, exchange.Success, 200); s != s1 {
			t.Fatalf("went to the backup")
		}
	}
	v := visitIn(t, o, get)
	l := acquire(t, v, s1)
	if l.Server() != s2 {
		t.Error("the primary failed this request, and the backup was not used")
	}
	l.Report(exchange.Success, 200)
	l.Done()
	v.Leave()
	failOn(t, o, s1, 5)
	if s := attempt(t, o, get, exchange.Success, 200); s != s2 {
		t.Errorf("the primary is ejected, and the request went to %s", s)
	}
}

func TestOrigin_sticky(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, a2)
	cfg.Sticky = &config.Sticky{Cookie: "srv", MaxAge: config.Duration(time.Hour)}
	o := w.open(t, cfg)
	cookie := ""
	with := Arrival{Safe: true, Secure: true, Cookie: func(name string) string {
		if name != "srv" {
			t.Errorf("asked for the cookie %s", name)
		}
		return cookie
	}}
	v := visitIn(t, o, with)
	l := acquire(t, v)
	home := l.Server()
	token := stickyToken([]byte("secret"), "shop", home)
	if got, want := l.SetCookie(), "srv="+token+"; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"; got != want {
		t.Errorf("cookie %q, want %q", got, want)
	}
	l.Report(exchange.Success, 200)
	l.Done()
	v.Leave()
	cookie = token
	for range 20 {
		v := visitIn(t, o, with)
		l := acquire(t, v)
		if l.Server() != home || l.SetCookie() != "" {
			t.Fatalf("went to %s with cookie %q, want %s and none", l.Server(), l.SetCookie(), home)
		}
		l.Report(exchange.Success, 200)
		l.Done()
		v.Leave()
	}
	failOn(t, o, home, 5)
	v = visitIn(t, o, with)
	l = acquire(t, v)
	if l.Server() == home || l.SetCookie() == "" {
		t.Errorf("the home is ejected: went to %s with cookie %q", l.Server(), l.SetCookie())
	}
	l.Done()
	v.Leave()
}

func TestOrigin_aServerWithoutFreeSlotMakesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 2
		o := w.open(t, cfg)
		var all []*waiter
		for range 5 {
			all = append(all, wait(o, Arrival{HeldBytes: 10}))
			synctest.Wait()
		}
		if s := o.Snapshot(); s.Queue.Depth != 3 || s.Queue.Bytes != 30 || s.Servers[0].InFlight != 2 {
			t.Fatalf("depth %d, bytes %d, in flight %d; want 3, 30, 2", s.Queue.Depth, s.Queue.Bytes, s.Servers[0].InFlight)
		}
		all[3].finish(exchange.Canceled, 0) // its client is gone
		if s := o.Snapshot(); s.Queue.Depth != 2 || s.Queue.Bytes != 20 {
			t.Errorf("depth %d, bytes %d after a client has gone; want 2, 20", s.Queue.Depth, s.Queue.Bytes)
		}
		time.Sleep(time.Second)
		all[0].finish(exchange.Success, 200)
		synctest.Wait()
		if !all[2].served() || all[4].ended() {
			t.Error("the free slot did not go to the first who waits")
		}
		if got := all[2].visit.Wait(); got.Queued != time.Second || got.Position != 1 {
			t.Errorf("waited %+v, want 1 s from position 1", got)
		}
		for _, r := range []int{1, 2, 4} {
			all[r].finish(exchange.Success, 200)
		}
		if s := o.Snapshot(); s.InFlight != 0 || s.Queue.Depth != 0 || s.Queue.Bytes != 0 || s.Servers[0].InFlight != 0 {
			t.Errorf("something is left: %+v", s)
		}
	})
}

func TestOrigin_theQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 1
		cfg.Queue.MaxRequests, cfg.Queue.MaxBytes = 2, 100
		o := w.open(t, cfg)
		busy := wait(o, get)
		synctest.Wait()
		big := wait(o, Arrival{HeldBytes: 101})
		synctest.Wait()
		if !errors.Is(big.err, ErrQueueFull) {
			t.Errorf("too many bytes: %v, want ErrQueueFull", big.err)
		}
		one, two := wait(o, Arrival{HeldBytes: 60}), (*waiter)(nil)
		synctest.Wait()
		more := wait(o, Arrival{HeldBytes: 60})
		synctest.Wait()
		if !more.ended() || !errors.Is(more.err, ErrQueueFull) || one.ended() {
			t.Errorf("too many bytes together: %v", more.err)
		}
		two = wait(o, get)
		synctest.Wait()
		three := wait(o, get)
		synctest.Wait()
		if !errors.Is(three.err, ErrQueueFull) {
			t.Errorf("too many requests: %v, want ErrQueueFull", three.err)
		}
		// The first arrival lost its server: the last to arrive makes room.
		again, err := make(chan error), error(nil)
		busy.lease.Report(exchange.Reset, 0)
		lease := busy.lease
		go func() {
			l, err := busy.visit.Acquire(context.Background(), []string{s1}, true)
			busy.lease = l
			again <- err
		}()
		synctest.Wait()
		if !two.ended() || !errors.Is(two.err, ErrQueueFull) || one.ended() {
			t.Errorf("the last one: %v, want ErrQueueFull; the one before it still waits", two.err)
		}
		lease.Done()
		if err = <-again; err != nil || one.ended() {
			t.Errorf("acquire again: %v; the first arrival was overtaken: %t", err, one.ended())
		}
		for _, r := range []*waiter{busy, big, one, more, two, three} {
			r.finish(exchange.Success, 200)
		}
	})
}

func TestOrigin_waitingHasADeadlineThatARetryDoesNotRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		r := wait(o, get)
		synctest.Wait()
		time.Sleep(20 * time.Second)
		failOn(t, o, s1, 5)
		w.server(s1).set(true, 0)
		start := time.Now()
		r.lease.Report(exchange.Timeout, 0)
		r.lease.Done()
		if _, err := r.visit.Acquire(context.Background(), []string{s1}, true); !errors.Is(err, ErrQueueDeadline) {
			t.Errorf("%v, want ErrQueueDeadline", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("waited %v, want 10 s: 30 s from arrival", d)
		}
		if _, err := r.visit.Acquire(context.Background(), nil, false); !errors.Is(err, ErrQueueDeadline) {
			t.Errorf("without waiting: %v, want ErrQueueDeadline", err)
		}
		r.visit.Leave()
		r.visit, r.lease = nil, nil
	})
}

func TestOrigin_pausedHoldsEverybodyInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Origin = 1
		cfg.Paused = true
		o := w.open(t, cfg)
		one := wait(o, get)
		synctest.Wait()
		two := wait(o, get)
		synctest.Wait()
		if one.ended() || two.ended() {
			t.Fatal("served although paused")
		}
		o.SetPaused(false)
		synctest.Wait()
		if !one.served() || two.ended() {
			t.Fatal("the first was not served first")
		}
		o.SetMaxInFlight(0, 0)
		synctest.Wait()
		if !two.served() {
			t.Error("the limit is gone, and the second still waits")
		}
		one.finish(exchange.Success, 200)
		two.finish(exchange.Success, 200)
	})
}

func TestOrigin_recoveryDoesNotLetAllGoAtOnce(t *testing.T) {
	for _, limit := range []int{0, 50} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{}
			cfg := settingsFor(a1)
			cfg.MaxInFlight.Server = limit
			o := w.open(t, cfg)
			failOn(t, o, s1, 5)
			var all []*waiter
			for range 200 {
				all = append(all, wait(o, get))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			under := func() (n int) {
				for _, r := range all {
					if r.served() {
						n++
					}
				}
				return n
			}
			if n := under(); n != 1 {
				t.Fatalf("limit %d: %d under way in a trial, want 1", limit, n)
			}
			most := 0
			for step := 0; len(all) > 0; step++ {
				var next []*waiter
				served := under()
				if step == 1 {
					want := 10 // for an unlimited server
					if limit > 0 {
						want = (limit*109 + 999) / 1000 // 100 ms later
					}
					if served != want {
						t.Fatalf("limit %d: %d under way right after the recovery, want %d", limit, served, want)
					}
				}
				most = max(most, served)
				var done []*waiter // first look, then end them: ends serve others
				for _, r := range all {
					if r.served() {
						done = append(done, r)
					} else {
						next = append(next, r)
					}
				}
				for _, r := range done {
					r.finish(exchange.Success, 200)
				}
				all = next
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
			}
			if limit > 0 && most > limit {
				t.Errorf("%d under way at once, limit is %d", most, limit)
			}
			if limit == 0 && most > 110 {
				t.Errorf("%d of 200 under way at once", most)
			}
		})
	}
}

func TestOrigin_aSlowStartWakesWaitersAsItGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 10
		o := w.open(t, cfg)
		failOn(t, o, s1, 5)
		var all []*waiter
		for range 10 {
			all = append(all, wait(o, get))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, r := range all {
			if r.served() {
				r.lease.Report(exchange.Success, 200) // its body goes on
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		served := func() (n int) {
			for _, r := range all {
				if r.served() {
					n++
				}
			}
			return n
		}
		if n := served(); n != 6 {
			t.Errorf("%d served in the middle of the slow start, want 6", n)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := served(); n != 10 {
			t.Errorf("%d served at its end, want 10", n)
		}
		for _, r := range all {
			r.finish(exchange.Success, 200)
		}
	})
}

func TestOrigin_theOperatorMayTakeServersOut(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1, a2))
	if err := o.SetServerState(s1, Draining, "deploy"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if s := attempt(t, o, get, exchange.Success, 200); s != s2 {
			t.Fatal("a draining server got a request")
		}
	}
	if err := o.SetServerState(s1, Up, "done"); err != nil || stateOf(t, o, s1) != Ramping {
		t.Errorf("%v, %v, want ramping", err, stateOf(t, o, s1))
	}
	if err := o.SetServerState("nobody", Maint, ""); !errors.Is(err, ErrNoServer) {
		t.Errorf("%v, want ErrNoServer", err)
	}
	if err := o.SetServerState(s1, Ejected, ""); err == nil {
		t.Error("the operator ejected a server")
	}
}

func TestOrigin_dead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, withChecks(settingsFor(a1, a2)))
		time.Sleep(time.Minute)
		v := visitIn(t, o, get)
		l := acquire(t, v)
		l.Report(exchange.Reset, 0)
		start := time.Now()
		if l.Dead(context.Background(), time.Second) {
			t.Error("dead, although it accepts connections and passes checks")
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("a living server held the retry up for %v", d)
		}
		time.Sleep(time.Millisecond)
		l.Report(exchange.Reset, 0) // another attempt's would do
		w.server(l.Server()).set(false, 500)
		if !l.Dead(context.Background(), time.Second) {
			t.Error("alive, although its check fails")
		}
		w.server(l.Server()).set(true, 0)
		if !l.Dead(context.Background(), time.Second) {
			t.Error("alive, although it refuses connections")
		}
		l.Done()
		v.Leave()
	})
}

func TestOrigin_statusesThatCount(t *testing.T) {
	tests := []struct {
		name    string
		outcome exchange.Outcome
		status  int
		ejects  bool
	}{
		{"503 is listed", exchange.BadStatus, 503, true},
		{"503 is listed whatever the retry engine calls it", exchange.Success, 503, true},
		{"500 is not listed", exchange.BadStatus, 500, false},
		{"404 never", exchange.Success, 404, false},
		{"a client abort never", exchange.Canceled, 0, false},
		{"a time-out always", exchange.Timeout, 0, true},
		{"a cut body always", exchange.BadResponse, 200, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{}
			o := w.open(t, settingsFor(a1))
			for range 5 {
				attempt(t, o, get, tt.outcome, tt.status)
			}
			if got := stateOf(t, o, s1) == Suspect; got != tt.ejects {
				t.Errorf("counted: %t, want %t", got, tt.ejects)
			}
		})
	}
}

func TestOrigin_untriedServersComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1, a2)
		cfg.MaxInFlight.Server = 1
		o := w.open(t, cfg)
		hold := visitIn(t, o, get)
		held := acquire(t, hold, s1)
		if held.Server() != s2 {
			t.Fatalf("got %s, want the untried one", held.Server())
		}
		r := wait(o, get, s1) // failed on s1, s2 is busy, s1 is free
		synctest.Wait()
		if r.ended() || !r.visit.Untried([]string{s1}) || r.visit.Untried([]string{s1, s2}) {
			t.Error("did not wait for the untried server")
		}
		other := wait(o, get)
		synctest.Wait()
		if !other.served() || other.lease.Server() != s1 {
			t.Error("a slot that the first in the queue does not want was kept from the next")
		}
		held.Done()
		hold.Leave()
		synctest.Wait()
		if !r.served() || r.lease.Server() != s2 {
			t.Error("the untried server is free, and the request still waits")
		}
		r.finish(exchange.Success, 200)
		other.finish(exchange.Success, 200)
	})
}
