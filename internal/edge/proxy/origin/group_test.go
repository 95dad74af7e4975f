package origin

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// reload makes and starts the next Origin after o.
func (w *world) reload(t testing.TB, o *Origin, cfg *config.Origin) *Origin {
	t.Helper()
	next, err := New("shop", cfg, w.options())
	if err != nil {
		t.Fatal(err)
	}
	next.Reuse(o)
	next.Start()
	o.Retire()
	t.Cleanup(next.Retire)
	return next
}

func TestGroup_aReloadKeepsStateAndConnectionsOfUnchangedServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1, a2))
		failOn(t, o, s1, 5)
		since := o.Snapshot().Servers[0].Since
		time.Sleep(time.Second)
		cfg := settingsFor("http://10.0.0.3:80", a1)
		cfg.Servers[1].Weight = 7
		o = w.reload(t, o, cfg)
		synctest.Wait()
		s := o.Snapshot().Servers
		if len(s) != 2 || s[0].Name != "10.0.0.3:80" || s[1].Name != s1 {
			t.Fatalf("servers %+v", s)
		}
		if s[1].State != Ejected || !s[1].Since.Equal(since) || s[1].Ejections != 1 || s[1].Weight != 7 {
			t.Errorf("the unchanged server is %+v", s[1])
		}
		if _, _, closed := w.server(s2).counts(); closed != 1 {
			t.Errorf("the vanished server's transport was closed %d times, want 1", closed)
		}
		if _, _, closed := w.server(s1).counts(); closed != 1 {
			t.Errorf("%d transports of the unchanged server were closed, want 1: the new one that nobody needs", closed)
		}
	})
}

func TestGroup_anotherPoolIsAnotherServer(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1))
	failOn(t, o, s1, 5)
	cfg := settingsFor(a1)
	cfg.Pool.MaxIdle = 3
	o = w.reload(t, o, cfg)
	if s := stateOf(t, o, s1); s != Up {
		t.Errorf("%v, want up", s)
	}
}

func TestGroup_requestsOfTheOldOriginWaitAndFinishAfterAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 1
		old := w.open(t, cfg)
		busy := wait(old, get)
		synctest.Wait()
		early := wait(old, get)
		synctest.Wait()
		cfg = settingsFor(a1)
		cfg.MaxInFlight.Server = 1
		o := w.reload(t, old, cfg)
		late := wait(o, get)
		synctest.Wait()
		if early.ended() || late.ended() {
			t.Fatal("the slots of a server were counted apart for two origins")
		}
		if s := o.Snapshot(); s.Queue.Depth != 2 || s.Servers[0].InFlight != 1 {
			t.Errorf("depth %d, in flight %d; want 2 and 1", s.Queue.Depth, s.Servers[0].InFlight)
		}
		busy.finish(exchange.Success, 200)
		synctest.Wait()
		if !early.served() || late.ended() {
			t.Fatal("the order of arrival was lost")
		}
		early.finish(exchange.Success, 200)
		synctest.Wait()
		if !late.served() {
			t.Fatal("an end in the old origin did not wake the new one")
		}
		late.finish(exchange.Success, 200)
	})
}

func TestGroup_aReloadBringsAServerToThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		failOn(t, o, s1, 5)
		w.server(s1).set(true, 0)
		r := wait(o, get)
		synctest.Wait()
		w.reload(t, o, settingsFor(a1, a2))
		synctest.Wait()
		if !r.served() || r.lease.Server() != s2 {
			t.Error("still waits for the old server")
		}
		r.finish(exchange.Success, 200)
	})
}

func TestGroup_aVanishedServerFinishesWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		r := wait(o, get)
		synctest.Wait()
		o = w.reload(t, o, settingsFor(a2))
		s := o.Snapshot().Servers
		if len(s) != 2 || s[1].Name != s1 || s[1].State != Draining || !s[1].Leaving || s[1].InFlight != 1 {
			t.Fatalf("servers %+v", s)
		}
		if _, _, closed := w.server(s1).counts(); closed != 0 {
			t.Error("the transport was closed under a request")
		}
		r.finish(exchange.Success, 200)
		if s := o.Snapshot().Servers; len(s) != 1 {
			t.Errorf("servers %+v after the last request", s)
		}
		if _, _, closed := w.server(s1).counts(); closed != 1 {
			t.Error("the transport of a vanished server was not closed")
		}
	})
}

func TestGroup_aVanishedServerThatComesBackInTimeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1, a2))
		r := wait(o, get, s2)
		synctest.Wait()
		o = w.reload(t, o, settingsFor(a2))
		o = w.reload(t, o, settingsFor(a1, a2))
		if s := o.Snapshot().Servers[0]; s.Name != s1 || s.InFlight != 1 || s.State != Ramping {
			t.Errorf("%+v, want the same server, ramping", s)
		}
		r.finish(exchange.Success, 200)
	})
}

func TestGroup_statesFromTheFile(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, a2)
	cfg.Servers[0].State = "maint"
	o := w.open(t, cfg)
	if s := stateOf(t, o, s1); s != Maint {
		t.Errorf("%v, want maint", s)
	}
	o = w.reload(t, o, settingsFor(a1, a2))
	if s := stateOf(t, o, s1); s != Ramping {
		t.Errorf("%v, want ramping", s)
	}
}

func TestGroup_checksFollowTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		o = w.reload(t, o, withChecks(settingsFor(a1)))
		synctest.Wait()
		if _, n, _ := w.server(s1).counts(); n != 1 {
			t.Errorf("%d checks, want one at once", n)
		}
		w.reload(t, o, settingsFor(a1))
		time.Sleep(time.Minute)
		if _, n, _ := w.server(s1).counts(); n != 1 {
			t.Errorf("%d checks, want no more after the reload", n)
		}
	})
}

func TestGroup_retireEndsWhenTheLastVisitHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, withChecks(settingsFor(a1)))
		r := wait(o, get)
		time.Sleep(time.Second)
		o.Retire()
		time.Sleep(time.Minute)
		if _, n, closed := w.server(s1).counts(); n < 10 || closed != 0 {
			t.Errorf("%d checks, %d closed while a visit is there", n, closed)
		}
		r.finish(exchange.Success, 200)
		_, n, closed := w.server(s1).counts()
		if closed != 1 {
			t.Errorf("closed %d times, want 1", closed)
		}
		time.Sleep(time.Minute)
		if _, more, _ := w.server(s1).counts(); more != n {
			t.Error("checks go on")
		}
		// A visit that was on its way finds the servers as they were.
		if s := attempt(t, o, get, exchange.Success, 200); s != s1 {
			t.Errorf("a late visit got %s", s)
		}
	})
}

func TestGroup_aStoppedOriginMayBeTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, withChecks(settingsFor(a1)))
		time.Sleep(time.Second)
		o.Retire()
		next, err := New("shop", withChecks(settingsFor(a1)), w.options())
		if err != nil {
			t.Fatal(err)
		}
		next.Reuse(o)
		next.Start()
		defer next.Retire()
		time.Sleep(time.Second)
		synctest.Wait()
		if s := next.Snapshot().Servers; len(s) != 1 || s[0].State != Up {
			t.Errorf("servers %+v, want one with a new transport, up after new checks", s)
		}
		attempt(t, next, get, exchange.Success, 200)
	})
}

func TestGroup_theHostThatServersGet(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1)
	cfg.Host = "server"
	o := w.open(t, cfg)
	v := visitIn(t, o, get)
	l := acquire(t, v)
	if l.Host() != "10.0.0.1" || l.Transport() != w.server(s1) {
		t.Errorf("Host %q, transport %v", l.Host(), l.Transport())
	}
	l.Done()
	v.Leave()
}

func TestGroup_hashKeepsAKeyOnItsServer(t *testing.T) {
	for _, key := range []string{"client", "header:X-User", "cookie:user"} {
		t.Run(key, func(t *testing.T) {
			w := &world{}
			cfg := settingsFor(a1, a2)
			cfg.Balance = config.Balance{Policy: "hash", Key: key}
			o := w.open(t, cfg)
			seen := make(map[string]bool)
			for _, user := range []string{"ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"} {
				of := func(string) string { return user }
				home := ""
				for range 10 {
					s := attempt(t, o, Arrival{Client: user, Header: of, Cookie: of}, exchange.Success, 200)
					if home != "" && s != home {
						t.Fatalf("%s went to %s and %s", user, home, s)
					}
					home = s
				}
				seen[home] = true
			}
			if len(seen) != 2 {
				t.Errorf("8 keys all went to one of two servers")
			}
		})
	}
}

func TestGroup_anOriginThatNeverStartedLeavesNothing(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1))
	failed, err := New("shop", settingsFor(a1, a2), w.options())
	if err != nil {
		t.Fatal(err)
	}
	failed.Reuse(o)
	failed.Retire()
	for _, s := range []string{s1, s2} {
		if _, _, closed := w.server(s).counts(); closed != 1 {
			t.Errorf("%d transports of %s closed, want 1", closed, s)
		}
	}
	if s := o.Snapshot().Servers; len(s) != 1 {
		t.Errorf("the running origin has %d servers, want 1", len(s))
	}
	attempt(t, o, get, exchange.Success, 200)
}

func TestGroup_theSameURLTwiceIsTwoServers(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1, a1))
	s := o.Snapshot().Servers
	if len(s) != 2 || s[0].Name != s1 || s[1].Name != s1+"#2" {
		t.Errorf("servers %+v", s)
	}
}

func TestGroup_hostNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.resolve("app.test", "10.0.0.2", "10.0.0.1", "::ffff:10.0.0.1")
		o := w.open(t, settingsFor("http://app.test:80", "http://nowhere.test:80"))
		synctest.Wait()
		names := func() (n []string) {
			for _, s := range o.Snapshot().Servers {
				n = append(n, s.Name)
			}
			return n
		}
		one, two, six := "app.test:80[10.0.0.1]", "app.test:80[10.0.0.2]", "app.test:80[2001:db8::1]"
		if got := names(); !slices.Equal(got, []string{one, two}) {
			t.Fatalf("servers %v", got)
		}
		if u := o.Snapshot().Unresolved; len(u) != 1 || u[0].Host != "nowhere.test" || u[0].Kept != 0 {
			t.Errorf("unresolved %+v", u)
		}
		failOn(t, o, one, 5)
		w.resolve("app.test") // fails now
		time.Sleep(11 * time.Second)
		if got := names(); !slices.Equal(got, []string{one, two}) {
			t.Errorf("a failed look-up left %v", got)
		}
		if u := o.Snapshot().Unresolved; len(u) != 2 || u[0].Kept != 2 {
			t.Errorf("unresolved %+v", u)
		}
		w.resolve("app.test", "10.0.0.1", "2001:db8::1")
		w.resolve("nowhere.test", "10.0.0.9")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := names(); !slices.Equal(got, []string{one, six, "nowhere.test:80[10.0.0.9]"}) {
			t.Errorf("servers %v", got)
		}
		if s := stateOf(t, o, one); s != Ejected {
			t.Errorf("the server that stayed is %v, want ejected as before", s)
		}
		if s := stateOf(t, o, six); s != Up {
			t.Errorf("the new server is %v, want up", s)
		}
		o = w.reload(t, o, settingsFor("http://app.test:80"))
		if got := names(); !slices.Equal(got, []string{one, six}) {
			t.Errorf("after a reload, without waiting for a look-up: %v", got)
		}
	})
}
