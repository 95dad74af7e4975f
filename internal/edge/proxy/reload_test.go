package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

// routes is a configuration with routes "/a/*" and so on to origins of the same names.
func routes(tb testing.TB, dir string, origins map[string]string, names ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "node: {data_dir: %q}\nlisten: {http: '127.0.0.1:1'}\ndrain: {timeout: 1s}\norigins:\n", dir)
	for name, keys := range origins {
		fmt.Fprintf(&b, "  %s: {%s}\n", name, keys)
	}
	b.WriteString("sites:\n  - hosts: ['*']\n    routes:\n")
	for _, n := range names {
		fmt.Fprintf(&b, "      - {path: /%s/*, origin: %s}\n", n, n)
	}
	return b.String()
}

func servers(list ...string) string {
	return `servers: ["http://` + strings.Join(list, `", "http://`) + `"]`
}

func TestReload_TunnelsStayWhileTheirRouteAndServerDo(t *testing.T) {
	one, _ := echoes(t)
	two, ended := echoes(t)
	d := open(t, setup{servers: []string{one}})
	all := map[string]string{"a": servers(one), "b": servers(two)}
	d.use(parse(t, d.dir, routes(t, d.dir, all, "a", "b")))
	stays, goes := d.dial("/a/x"), d.dial("/b/x")
	echo(t, stays, "hello")
	echo(t, goes, "hello")

	d.use(parse(t, d.dir, routes(t, d.dir, all, "b", "a"))) // in another order
	echo(t, stays, "still here")
	echo(t, goes, "still here")

	d.use(parse(t, d.dir, routes(t, d.dir, map[string]string{"a": servers(one)}, "a")))
	if err := <-ended; err == nil {
		t.Error("the tunnel of the vanished route was not ended")
	}
	_ = goes.CloseNow()
	if x := d.next(); x.Abort != "" && x.Abort != abortDrain {
		t.Errorf("abort %q", x.Abort)
	}
	echo(t, stays, "and still")

	d.use(parse(t, d.dir, routes(t, d.dir, map[string]string{"a": servers(two)}, "a"))) // its server goes
	if _, _, err := stays.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the tunnel to the vanished server: %v", err)
	}
	_ = stays.CloseNow()
	d.next()
}

func TestReload_ATunnelThatOpensAfterItsRouteVanishedIsEnded(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := listen(t, func(c *net.TCPConn, r *bufio.Reader) {
		close(asked)
		<-answer
		_, _ = io.WriteString(c, switching)
		_, _ = io.Copy(io.Discard, r)
	})
	other := serve(t, ok("other")).Address
	d := open(t, setup{servers: []string{slow}})
	go func() {
		<-asked
		d.use(parse(t, d.dir, routes(t, d.dir, map[string]string{"a": servers(other)}, "a")))
		close(answer)
	}()
	c, r := d.upgraded()
	if got, err := io.ReadAll(r); len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
	_ = c.Close()
	if x := d.next(); x.Abort != abortDrain {
		t.Errorf("abort %q", x.Abort)
	}
	<-answer
}

func TestReload_KeepsStatesBudgetsAndCounts(t *testing.T) {
	bad, good := refused(t), serve(t, ok("good"))
	keys := servers(bad, good.Address) + ", balance: round_robin, health: {consecutive_failures: 1}, retry: {budget: {percent: 0, min: 5, rate: 0, burst: %d}}"
	d := open(t, setup{servers: []string{good.Address}})
	d.use(parse(t, d.dir, routes(t, d.dir, map[string]string{"a": fmt.Sprintf(keys, 3)}, "a")))
	get := func() (reply, record) {
		r := d.request("GET", nil)
		r.URL.Path = "/a/x"
		return d.visit(r)
	}
	for range 2 {
		get()
	}
	before := d.metric("evergate_attempts_total", "origin", "a")
	if s := states(d); s[bad] != origin.Ejected {
		t.Fatalf("states %v", s)
	}
	d.use(parse(t, d.dir, routes(t, d.dir, map[string]string{"a": fmt.Sprintf(keys, 3)}, "a")))
	if s := states(d); s[bad] != origin.Ejected {
		t.Errorf("states %v: a reload brought the dead server back", s)
	}
	b := d.proxy.origins["a"].budget
	if b.tokens != 2 {
		t.Errorf("%v tokens in the bucket, want the 2 that were left", b.tokens)
	}
	if r, _ := get(); r.content != "good" {
		t.Errorf("%d", r.StatusCode)
	}
	if n := d.metric("evergate_attempts_total", "origin", "a"); n != before+1 {
		t.Errorf("%v attempts, want %v: counters live over reloads", n, before+1)
	}
}

func states(d *door) map[string]origin.State {
	m := make(map[string]origin.State)
	for _, o := range d.proxy.Snapshots() {
		for _, s := range o.Servers {
			m[s.Name] = s.State
		}
	}
	return m
}

func TestReload_RequestsUnderWayEndAsTheyBegan(t *testing.T) {
	g := newGate(t)
	d := open(t, setup{servers: []string{g.Address}})
	var first sync.WaitGroup
	first.Go(func() {
		if resp, err := d.client.Do(d.request("GET", nil)); err != nil || read(resp).content != "through" {
			t.Errorf("%v", err)
		}
	})
	<-g.arrived
	other := serve(t, ok("other"))
	s := d.setup
	s.servers = []string{other.Address}
	d.use(s.config(t, d.dir))
	if r, _ := d.get(); r.content != "other" {
		t.Errorf("%q, want the new server's answer", r.content)
	}
	close(g.open)
	first.Wait()
	d.next()
	eventually(t, "the server that is gone is forgotten", func() bool { return len(states(d)) == 1 })
	// One more reload removes what was counted for it.
	d.use(s.config(t, d.dir))
	if n := len(d.gather("evergate_attempts_total")); n != 1 {
		t.Errorf("%d series of attempts, want that of the server that is left", n)
	}
	d.mu.Lock()
	d.all = d.all[:0] // account would miss the others
	d.mu.Unlock()
	d.options.Metrics.attempts.Reset()
	d.options.Metrics.failures.Reset()
}

func TestReload_UnderLoadFailsNothing(t *testing.T) {
	a, b := serve(t, ok("answer")), serve(t, ok("answer"))
	d := open(t, setup{servers: []string{a.Address, b.Address}, equal: true})
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				method, body := "GET", ""
				if i%2 == 1 {
					method, body = "POST", "a letter"
				}
				resp, err := d.client.Do(d.request(method, strings.NewReader(body)))
				if err != nil {
					t.Errorf("%s: %v", method, err)
					return
				}
				if r := read(resp); r.content != "answer" || r.err != nil {
					t.Errorf("%s: %d %q %v", method, r.StatusCode, r.content, r.err)
				}
			}
		})
	}
	first, second := d.setup, d.setup
	first.servers, second.servers = []string{a.Address, b.Address}, []string{b.Address, a.Address}
	second.top = fmt.Sprintf("replay: {spill_dir: %q}", t.TempDir())
	for i := range 20 {
		s := first
		if i%2 == 0 {
			s = second
		}
		d.use(s.config(t, d.dir))
		<-time.After(10 * time.Millisecond)
	}
	close(stop)
	load.Wait()
}

func TestNew_AProxyThatIsNotStartedChangesNothing(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{good.Address}})
	s := d.setup
	s.servers = []string{refused(t)}
	p, err := New(s.config(t, d.dir), d.options, d.proxy)
	if err != nil {
		t.Fatal(err)
	}
	p.Retire()
	if r, _ := d.get(); r.content != "good" {
		t.Errorf("%d", r.StatusCode)
	}
	if _, ok := states(d)[good.Address]; !ok {
		t.Error("the server in use is gone")
	}
}

func TestHandler_OfARouteWithoutAnOriginIsAMistake(t *testing.T) {
	d := open(t, setup{servers: []string{refused(t)}})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	var h http.Handler = d.proxy.Handler(d.setup.config(t, d.dir).Sites[0].Routes[0]) // of another configuration
	t.Error(h)
}
