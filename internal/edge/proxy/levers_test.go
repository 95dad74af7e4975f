package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

// turnable is what a lever does to a Proxy, for tests of all of them.
var turnable = []struct {
	name       string
	turn, back func(p *Proxy, server string) error
}{
	{
		"paused",
		func(p *Proxy, _ string) error { return p.SetPaused("app", true) }, func(p *Proxy, _ string) error { return p.SetPaused("app", false) },
	},
	{
		"max_in_flight",
		func(p *Proxy, _ string) error { return p.SetMaxInFlight("app", 1) }, func(p *Proxy, _ string) error { return p.SetMaxInFlight("app", 0) },
	},
	{
		"retry.attempts",
		func(p *Proxy, _ string) error { return p.SetRetryAttempts("app", 1) }, func(p *Proxy, _ string) error { return p.SetRetryAttempts("app", 3) },
	},
	{
		"retry.budget.percent",
		func(p *Proxy, _ string) error { return p.SetRetryBudgetPercent("app", 0) },
		func(p *Proxy, _ string) error { return p.SetRetryBudgetPercent("app", 20) },
	},
	{
		"servers.state, drain",
		func(p *Proxy, server string) error { return p.SetServerState("app", server, "drain", "a test") },
		func(p *Proxy, server string) error { return p.SetServerState("app", server, "up", "a test") },
	},
	{
		"servers.state, maint",
		func(p *Proxy, server string) error { return p.SetServerState("app", server, "maint", "a test") },
		func(p *Proxy, server string) error { return p.SetServerState("app", server, "up", "a test") },
	},
	{
		"servers.weight",
		func(p *Proxy, server string) error { return p.SetServerWeight("app", server, 1000) },
		func(p *Proxy, server string) error { return p.SetServerWeight("app", server, 1) },
	},
}

func TestLevers_OfNothingThatTheConfigurationHas(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{good.Address}})
	p := d.proxy
	for name, err := range map[string]error{
		"paused": p.SetPaused("nobody", true), "max_in_flight": p.SetMaxInFlight("nobody", 1), "attempts": p.SetRetryAttempts("nobody", 1),
		"percent": p.SetRetryBudgetPercent("nobody", 1), "state": p.SetServerState("nobody", good.Address, "up", ""),
		"weight": p.SetServerWeight("nobody", good.Address, 1),
	} {
		if !errors.Is(err, ErrNoOrigin) {
			t.Errorf("%s of an unknown origin: %v", name, err)
		}
	}
	if err := p.SetServerState("app", "10.9.9.9:80", "up", ""); !errors.Is(err, origin.ErrNoServer) {
		t.Errorf("state of an unknown server: %v", err)
	}
	if err := p.SetServerWeight("app", "10.9.9.9:80", 1); !errors.Is(err, origin.ErrNoServer) {
		t.Errorf("weight of an unknown server: %v", err)
	}
}

func TestLevers_AttemptsActAtOnceAndLeaveARoutesOwnAlone(t *testing.T) {
	dead := []string{refused(t), refused(t), refused(t), refused(t)}
	d := open(t, setup{servers: dead[:1]})
	d.use(parse(t, d.dir, fmt.Sprintf(`
node: {data_dir: %q}
listen: {http: '127.0.0.1:1'}
origins:
  app: {servers: ["http://%s"], balance: round_robin, health: {consecutive_failures: 1000}, retry: {attempts: 3, budget: {percent: 100, min: 100, burst: 100}}}
sites: [{hosts: ['*'], routes: [{path: /own/*, origin: app, retry: {attempts: 2}}, {path: /*, origin: app, retry: {timeout: 20s}}]}]
`, d.dir, strings.Join(dead, `", "http://`))))
	attempts := func(path string) int {
		r := d.request("GET", nil)
		r.URL.Path = path
		_, x := d.visit(r)
		return len(x.Attempts)
	}
	for _, step := range []struct{ lever, others, own int }{{3, 3, 2}, {1, 1, 2}, {4, 4, 2}} {
		if err := d.proxy.SetRetryAttempts("app", step.lever); err != nil {
			t.Fatal(err)
		}
		if n := attempts("/x"); n != step.others {
			t.Errorf("lever %d: %d attempts, want %d", step.lever, n, step.others)
		}
		if n := attempts("/own/x"); n != step.own {
			t.Errorf("lever %d: %d attempts on a route with its own number, want %d", step.lever, n, step.own)
		}
	}
}

func TestLevers_TurnedBeforeAStartAreWhatItBeginsWith(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{good.Address}})
	first := d.proxy
	next, err := New(d.setup.config(t, d.dir), d.options, first)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range turnable {
		if err := l.turn(next, good.Address); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	where := func(p *Proxy) string {
		o := p.origins["app"]
		s := o.snapshot()
		o.budget.mu.Lock()
		defer o.budget.mu.Unlock()
		return fmt.Sprintf("paused %t, limit %d, attempts %d, percent %d, %v, weight %d",
			s.Paused, s.MaxInFlight, o.attempts.Load(), o.budget.cfg.Percent, s.Servers[0].State, s.Servers[0].Weight)
	}
	if got, want := where(first), "paused false, limit 0, attempts 3, percent 20, up, weight 1"; got != want {
		t.Errorf("the Proxy in force stands at: %s", got)
	}
	next.Start()
	first.Retire()
	d.proxy = next // which close looks at
	const turned = "paused true, limit 1, attempts 1, percent 0, maint, weight 1000"
	if got := where(next); got != turned {
		t.Errorf("the next one began with: %s", got)
	}
	for _, l := range turnable {
		if err := l.back(first, good.Address); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	if got := where(next); got != turned {
		t.Errorf("levers of a retired Proxy moved those of the next: %s", got)
	}
}

func TestLevers_APauseHoldsRequestsAndLosesNone(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{good.Address}})
	if err := d.proxy.SetPaused("app", true); err != nil {
		t.Fatal(err)
	}
	const visitors = 20
	answers := make(chan string, visitors)
	for range visitors {
		go func() {
			resp, err := d.client.Do(d.request("GET", nil))
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- read(resp).content
		}()
	}
	eventually(t, "all wait", func() bool { return d.proxy.Snapshots()[0].Queue.Depth == visitors })
	if err := d.proxy.SetPaused("app", false); err != nil {
		t.Fatal(err)
	}
	for range visitors {
		if a := <-answers; a != "good" {
			t.Error(a)
		}
	}
}

func TestLevers_WithEveryServerDrainedVisitorsWaitAndAreToldToComeLater(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{good.Address}, origin: "queue: {timeout: 100ms}"})
	if err := d.proxy.SetServerState("app", good.Address, "drain", "deploy"); err != nil {
		t.Fatal(err)
	}
	r, x := d.get()
	if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || x.QueueWait < 100*time.Millisecond {
		t.Errorf("%d, Retry-After %q, waited %v", r.StatusCode, r.Header.Get("Retry-After"), x.QueueWait)
	}
	if err := d.proxy.SetServerState("app", good.Address, "up", "done"); err != nil {
		t.Fatal(err)
	}
	if r, _ := d.get(); r.content != "good" {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestLevers_OnChangeHearsOfThem(t *testing.T) {
	a, b := serve(t, ok("a")), serve(t, ok("b"))
	d := open(t, setup{servers: []string{a.Address}})
	changes := make(chan origin.Change, 10)
	d.options.OnChange = func(c origin.Change) { changes <- c }
	s := d.setup
	s.servers = []string{b.Address}
	text := s.config(t, d.dir)
	text.Origins["other"] = text.Origins["app"] // one that is new: the first keeps what it was made with
	d.use(text)
	<-changes // the server of a new origin comes up
	if err := d.proxy.SetServerState("other", b.Address, "drain", "deploy"); err != nil {
		t.Fatal(err)
	}
	if c := <-changes; c.Origin != "other" || c.Server != b.Address || c.To != origin.Draining || c.Reason != "deploy" {
		t.Errorf("%+v", c)
	}
}

// Every lever is turned hundreds of times under load, and the configuration is
// reloaded all the while.
func TestLevers_UnderLoadLoseNothing(t *testing.T) {
	a, b := serve(t, ok("answer")), serve(t, ok("answer"))
	d := open(t, setup{servers: []string{a.Address, b.Address}, equal: true})
	d.records = make(chan record, 1_000_000) // nobody reads them
	stop := make(chan struct{})
	var load, turning sync.WaitGroup
	for i := range 8 {
		load.Go(func() {
			method, body := "GET", ""
			if i%2 == 1 {
				method, body = "POST", "a letter"
			}
			for !closed(stop) {
				resp, err := d.client.Do(d.request(method, strings.NewReader(body)))
				if err != nil {
					t.Errorf("%s: %v", method, err)
					return
				}
				if r := read(resp); r.content != "answer" || r.err != nil {
					t.Errorf("%s: %d %q %v", method, r.StatusCode, r.content, r.err)
					return
				}
			}
		})
	}
	var mu sync.Mutex // as whoever turns levers must not do it during a swap
	for _, l := range turnable {
		turning.Go(func() {
			for i := range 600 {
				turn := l.turn
				if i%2 == 1 {
					turn = l.back
				}
				mu.Lock()
				err := turn(d.proxy, b.Address)
				mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", l.name, err)
				}
				<-time.After(time.Duration(i%3) * 100 * time.Microsecond)
			}
		})
	}
	turned := make(chan struct{})
	go func() { turning.Wait(); close(turned) }()
	for !closed(turned) {
		mu.Lock()
		d.use(d.setup.config(t, d.dir))
		mu.Unlock()
		<-time.After(20 * time.Millisecond)
	}
	for _, l := range turnable {
		if err := l.back(d.proxy, b.Address); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	load.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Logf("%d requests", len(d.all))
	if i := slices.IndexFunc(d.all, func(r record) bool { return r.Status != http.StatusOK }); i >= 0 {
		t.Errorf("a request ended with %d after %s", d.all[i].Status, d.all[i].words())
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
