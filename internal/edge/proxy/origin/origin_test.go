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

func TestOrigin_stickyOverARotationOfItsSecrets(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, a2)
	cfg.Sticky = &config.Sticky{Cookie: "srv"}
	o := w.open(t, cfg)
	reload := func(secrets ...string) {
		t.Helper()
		opts := w.options()
		opts.Secrets = nil
		for _, s := range secrets {
			opts.Secrets = append(opts.Secrets, []byte(s))
		}
		next, err := New("shop", cfg, opts)
		if err != nil {
			t.Fatal(err)
		}
		next.Reuse(o)
		next.Start()
		t.Cleanup(next.Retire)
		o.Retire()
		o = next
	}
	visit := func(cookie string) (server, setCookie string) {
		t.Helper()
		v := visitIn(t, o, Arrival{Safe: true, Cookie: func(string) string { return cookie }})
		l := acquire(t, v)
		defer v.Leave()
		defer l.Done()
		l.Report(exchange.Success, 200)
		return l.Server(), l.SetCookie()
	}
	home, _ := visit("")
	of := func(secret string) string { return stickyToken([]byte(secret), "shop", home) }
	given := func(secret string) string { return "srv=" + of(secret) + "; Path=/; HttpOnly; SameSite=Lax" }

	steps := []struct {
		name    string
		secrets []string
		cookie  string // by the secret
		home    bool
		gets    string // a cookie by this secret; "": none
	}{
		{"before the rotation", []string{"secret"}, "secret", true, ""},
		{"a former cookie is understood and replaced", []string{"new", "secret"}, "secret", true, "new"},
		{"a new cookie stays", []string{"new", "secret"}, "new", true, ""},
		{"one from two rotations ago too", []string{"newer", "new", "secret"}, "secret", true, "newer"},
		{"a reload without secrets changes none", nil, "newer", true, ""},
		{"a forgotten one leads nowhere", []string{"newer"}, "secret", false, ""},
		{"and the others go on", []string{"newer"}, "newer", true, ""},
	}
	for _, tt := range steps {
		t.Run(tt.name, func(t *testing.T) {
			reload(tt.secrets...)
			elsewhere := 0
			for range 30 {
				server, cookie := visit(of(tt.cookie))
				if server != home {
					elsewhere++
					continue
				}
				if tt.home && tt.gets == "" && cookie != "" || tt.gets != "" && cookie != given(tt.gets) {
					t.Errorf("got the cookie %q", cookie)
				}
			}
			if tt.home != (elsewhere == 0) {
				t.Errorf("%d of 30 visits went elsewhere", elsewhere)
			}
		})
	}
}

func TestOrigin_theOperatorMayTakeServersOut(t *testing.T) {
	w := &world{}
	o := w.open(t, settingsFor(a1, a2))
	if err := o.SetServerState(s1, "drain", "deploy"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if s := attempt(t, o, get, exchange.Success, 200); s != s2 {
			t.Fatal("a draining server got a request")
		}
	}
	if err := o.SetServerState(s1, "up", "done"); err != nil || stateOf(t, o, s1) != Ramping {
		t.Errorf("%v, %v, want ramping", err, stateOf(t, o, s1))
	}
	if err := o.SetServerState("nobody", "maint", ""); !errors.Is(err, ErrNoServer) {
		t.Errorf("%v, want ErrNoServer", err)
	}
	if err := o.SetServerState(s1, "ejected", ""); err == nil {
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
