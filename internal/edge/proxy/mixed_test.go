package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

func TestProxy_ManyRequestsAtOnceAreNotMixedUp(t *testing.T) {
	l := &ledger{got: make(map[string][]string)}
	list := []string{planServer(t, "a", l), planServer(t, "b", l), planServer(t, "c", l)}
	d := open(t, setup{servers: list, equal: true, transport: planTransport,
		origin: "health: {consecutive_failures: 1000000}, retry: {backoff: {base: 1ms, max: 1ms}, hold_body: 4KiB, budget: {min: 1000, burst: 1000000}}"})
	d.client.Transport.(*http.Transport).DisableKeepAlives = true
	bodies := [][]byte{nil, noise(1), noise(5000), noise(64<<10 + 1), noise(200 << 10)}
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 40 {
				id := fmt.Sprint(g, "-", i)
				var list []string
				for range 3 {
					list = append(list, behaviours[rnd.IntN(len(behaviours))])
				}
				method, body := "GET", bodies[0]
				if rnd.IntN(2) == 0 {
					method, body = []string{"PUT", "POST"}[rnd.IntN(2)], bodies[rnd.IntN(len(bodies))]
				}
				var reader io.Reader
				if len(body) > 0 {
					reader = bytes.NewReader(body)
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				if rnd.IntN(5) == 0 { // an impatient visitor
					ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rnd.IntN(3000))*time.Microsecond)
				}
				r := d.request(method, reader, "Plan", strings.Join(list, ","), "Id", id, "Sum", sumOf(body)).WithContext(ctx)
				resp, err := d.client.Do(r)
				if err == nil {
					got := read(resp)
					mark := got.Header.Get("Mark")
					if mark != "" && (got.Header.Get("Id") != id || strings.ReplaceAll(got.content, mark+"\n", "") != "") && got.err == nil {
						t.Errorf("request %s got the answer to %s", id, got.Header.Get("Id"))
					}
				}
				cancel()
			}
		})
	}
	all.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bad) > 0 {
		t.Errorf("servers got wrong bodies: %v", l.bad)
	}
}

func TestProxy_ALargeEarlyFailureOfAnUploadIsTheAnswer(t *testing.T) {
	body := strings.Repeat("x", 300<<10)
	first := early(t, 0, fmt.Sprintf("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	d := open(t, setup{servers: []string{first.Address, serve(t, ok("good")).Address}})
	pr, pw := io.Pipe()
	go func() { _, _ = pw.Write(make([]byte, 100<<10)) }() // and no more
	r, x := d.visit(d.request("PUT", pr))
	_ = pw.Close()
	if r.StatusCode != 503 || r.content != body || r.err != nil || x.RetryDenied != whyNotReplayable {
		t.Errorf("%d, %d bytes, %v, denied %q", r.StatusCode, len(r.content), r.err, x.RetryDenied)
	}
}

func TestProxy_AVisitorWhoLeavesDuringTheBackOffIsNotRetried(t *testing.T) {
	said := make(chan struct{}, 1)
	server := serve(t, func(c *upstreamtest.Conn, r *upstreamtest.Received) bool {
		answers(503, "busy", "Retry-After: 5")(c, r)
		said <- struct{}{}
		return true
	})
	d := open(t, setup{servers: []string{server.Address}})
	ctx, leave := withCancel(t)
	go func() {
		<-said
		eventually(t, "the failure is known", func() bool { return d.proxy.Snapshots()[0].Servers[0].Failures == 1 })
		leave()
	}()
	if _, err := d.client.Do(d.request("GET", nil).WithContext(ctx)); err == nil {
		t.Error("an answer came")
	}
	if x := d.next(); x.Status != 499 || len(x.Attempts) != 1 || x.Attempts[0].Retried || len(server.requests()) != 1 {
		t.Errorf("status %d, %s", x.Status, x.words())
	}
}

func TestProxy_AStickyVisitorKeepsTheServer(t *testing.T) {
	var list []string
	for i := range 3 {
		list = append(list, serve(t, answers(200, fmt.Sprint("server ", i), "Set-Cookie: own=1")).Address)
	}
	d := open(t, setup{servers: list, equal: true, origin: "sticky: {cookie: srv}"})
	r, _ := d.get()
	cookies := r.Cookies()
	if len(cookies) != 2 || cookies[0].Name != "own" || cookies[1].Name != "srv" {
		t.Fatalf("cookies %v", cookies)
	}
	for range 6 {
		if again, _ := d.get("Cookie", "srv="+cookies[1].Value); again.content != r.content {
			t.Errorf("%q, then %q", r.content, again.content)
		}
	}
}

func TestProxy_Host(t *testing.T) {
	server := serve(t, ok("good"))
	for setting, want := range map[string]string{"preserve": "shop.example", "server": server.Address, "api.internal": "api.internal"} {
		d := open(t, setup{servers: []string{server.Address}, origin: "host: " + setting})
		r := d.request("GET", nil)
		r.Host = "shop.example"
		d.visit(r)
		got := server.requests()
		if h := got[len(got)-1].Host; h != want {
			t.Errorf("host: %s: the server got %q, want %q", setting, h, want)
		}
		d.close()
	}
}

// onlyHost is a lease of which nothing else is asked.
type onlyHost struct{ origin.Lease }

func (onlyHost) Host() string { return "" }

func TestCall_AnAttemptWithoutTimeLeftIsNotOneWithoutALimit(t *testing.T) {
	now := time.Now()
	for _, over := range []time.Duration{0, time.Nanosecond, time.Hour} {
		c := newCall()
		c.h = &handler{policy: &policy{timeout: time.Second}}
		c.base = now.Add(-time.Second - over)
		c.at.lease = onlyHost{}
		c.req.Extra = c.extra[:1]
		if q := c.next(now); q.Timeout <= 0 {
			t.Errorf("%s too late: time-out %s, which is none", over, q.Timeout)
		}
	}
}

func TestProxy_DryRunOfAPlainPostWouldNotRetryEither(t *testing.T) {
	d := open(t, setup{servers: []string{serve(t, resets).Address, serve(t, ok("good")).Address}, origin: "retry: {dry_run: true}"})
	if r, x := d.post("x"); r.StatusCode != 502 || x.WouldRetry != "" || x.RetryDenied != whyMethod {
		t.Errorf("%d, would retry %q, denied %q", r.StatusCode, x.WouldRetry, x.RetryDenied)
	}
}

func TestProxy_AWaitingBodyCountsAgainstTheQueuesBytes(t *testing.T) {
	g := newGate(t)
	d := open(t, setup{servers: []string{g.Address}, origin: "max_in_flight: 1, queue: {max_bytes: 1KiB}"})
	var first sync.WaitGroup
	first.Go(func() {
		if resp, err := d.client.Do(d.request("GET", nil)); err == nil {
			read(resp)
		}
	})
	<-g.arrived
	if r, x := d.post(strings.Repeat("x", 2000)); r.StatusCode != 503 || r.content != ReasonQueueFull {
		t.Errorf("%d %q, %s", r.StatusCode, r.content, x.words())
	}
	close(g.open)
	first.Wait()
}
