package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

// withCancel is a visitor's context that ends with the test.
func withCancel(tb testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx, cancel
}

// gate is a server that holds every request until it is opened.
type gate struct {
	*backend
	arrived chan struct{}
	open    chan struct{}
}

func newGate(tb testing.TB) *gate {
	g := &gate{arrived: make(chan struct{}, 1000), open: make(chan struct{})}
	g.backend = serve(tb, func(c *upstreamtest.Conn, r *upstreamtest.Received) bool {
		g.arrived <- struct{}{}
		<-g.open
		return ok("through")(c, r)
	})
	return g
}

func TestProxy_WhoFindsTheQueueFullIsToldToComeLater(t *testing.T) {
	g := newGate(t)
	d := open(t, setup{servers: []string{g.Address}, origin: "max_in_flight: 1, queue: {max_requests: 0}"})
	var first sync.WaitGroup
	first.Go(func() {
		if resp, err := d.client.Do(d.request("GET", nil)); err != nil || read(resp).content != "through" {
			t.Errorf("the first request: %v", err)
		}
	})
	<-g.arrived
	r, x := d.get()
	if r.StatusCode != 503 || r.Header.Get("Evergate-Reason") != ReasonQueueFull || r.Header.Get("Retry-After") == "" || len(x.Attempts) != 0 {
		t.Errorf("%d %v, %s", r.StatusCode, r.Header, x.words())
	}
	close(g.open)
	first.Wait()
}

func TestProxy_WhoWaitsTooLongIsToldToComeLater(t *testing.T) {
	for _, limit := range []string{"max_in_flight: 1", "max_in_flight: {server: 1}"} {
		t.Run(limit, func(t *testing.T) {
			g := newGate(t)
			d := open(t, setup{servers: []string{g.Address}, origin: limit + ", queue: {timeout: 50ms}"})
			var first sync.WaitGroup
			first.Go(func() {
				if resp, err := d.client.Do(d.request("GET", nil)); err == nil {
					read(resp)
				}
			})
			<-g.arrived
			r, x := d.get()
			if r.StatusCode != 503 || r.Header.Get("Evergate-Reason") != ReasonQueueDeadline || r.Header.Get("Retry-After") == "" {
				t.Errorf("%d %v", r.StatusCode, r.Header)
			}
			if x.QueueWait < 50*time.Millisecond || x.QueueWait > patience {
				t.Errorf("waited %s, want 50ms and a little", x.QueueWait)
			}
			close(g.open)
			first.Wait()
		})
	}
}

func TestProxy_WhoWaitsInTheQueueIsServedInTurn(t *testing.T) {
	g := newGate(t)
	d := open(t, setup{servers: []string{g.Address}, origin: "max_in_flight: 1"})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if resp, err := d.client.Do(d.request("GET", nil)); err != nil || read(resp).content != "through" {
				t.Errorf("%v", err)
			}
		})
	}
	<-g.arrived
	eventually(t, "two wait", func() bool { return d.proxy.Snapshots()[0].Queue.Depth == 2 })
	close(g.open)
	all.Wait()
	waited := 0
	for range 3 {
		if x := d.next(); x.QueueWait > 0 && x.QueuePosition > 0 {
			waited++
		}
	}
	if waited != 2 {
		t.Errorf("%d of 3 waited, want 2", waited)
	}
}

func TestProxy_AVisitorWhoLeavesTheQueueIsGone(t *testing.T) {
	for _, method := range []string{"GET", "POST", "large POST"} {
		t.Run(method, func(t *testing.T) {
			g := newGate(t)
			d := open(t, setup{servers: []string{g.Address}, origin: "max_in_flight: 1"})
			var first sync.WaitGroup
			first.Go(func() {
				if resp, err := d.client.Do(d.request("GET", nil)); err == nil {
					read(resp)
				}
			})
			<-g.arrived
			ctx, leave := withCancel(t)
			r := d.request("GET", nil)
			switch method {
			case "POST":
				r = d.request("POST", strings.NewReader("small"))
			case "large POST":
				r = d.request("POST", strings.NewReader(strings.Repeat("x", 32<<20)))
			}
			var second sync.WaitGroup
			second.Go(func() {
				if _, err := d.client.Do(r.WithContext(ctx)); err == nil {
					t.Error("an answer came")
				}
			})
			eventually(t, "it waits", func() bool { return d.proxy.Snapshots()[0].Queue.Depth == 1 })
			leave()
			second.Wait()
			if method == "large POST" {
				close(g.open) // net/http notices only when the body was read; it is beyond the memory
			}
			x := d.next()
			if method == "large POST" && x.Status == 200 {
				x = d.next()
			}
			if x.Status != 499 || x.Abort != abortVisitor {
				t.Errorf("status %d, abort %q", x.Status, x.Abort)
			}
			if method != "large POST" {
				eventually(t, "its place is free", func() bool { return d.proxy.Snapshots()[0].Queue.Depth == 0 })
				close(g.open)
			}
			first.Wait()
		})
	}
}

func TestProxy_TheBudgetBoundsRetries(t *testing.T) {
	bad := serve(t, answers(503, "busy", "Retry-After: 0"))
	d := open(t, setup{servers: []string{bad.Address, serve(t, ok("good")).Address},
		origin: "retry: {budget: {percent: 0, min: 1, rate: 0, burst: 2}}, health: {consecutive_failures: 100}"})
	for i := range 4 {
		r, x := d.get()
		switch {
		case i < 2 && r.content != "good":
			t.Errorf("request %d: %d, %s; want a retry", i+1, r.StatusCode, x.words())
		case i >= 2 && (r.StatusCode != 503 || r.content != "busy" || x.RetryDenied != whyBudget):
			t.Errorf("request %d: %d %q, denied %q; want the answer that there is", i+1, r.StatusCode, r.content, x.RetryDenied)
		}
	}
	if n := d.metric("evergate_retry_denied_total", "why", "budget"); n != 2 {
		t.Errorf("%v denied for the budget, want 2", n)
	}
}

func TestProxy_ARetryIsUnderWayUntilItsAttemptEnds(t *testing.T) {
	g := newGate(t)
	d := open(t, setup{servers: []string{refused(t), g.Address}, origin: "retry: {budget: {percent: 0, min: 1}}, health: {consecutive_failures: 100}"})
	var first sync.WaitGroup
	first.Go(func() {
		if resp, err := d.client.Do(d.request("GET", nil)); err != nil || read(resp).content != "through" {
			t.Errorf("the first request: %v", err)
		}
	})
	<-g.arrived
	if n := d.metric("evergate_retries_in_flight"); n != 1 {
		t.Errorf("%v retries under way, want 1", n)
	}
	if r, x := d.get(); r.StatusCode != 502 || x.RetryDenied != whyBudget {
		t.Errorf("%d, denied %q", r.StatusCode, x.RetryDenied)
	}
	var second sync.WaitGroup
	second.Go(func() {
		if resp, err := d.client.Do(d.request("GET", nil)); err != nil || read(resp).content != "through" {
			t.Errorf("the request that waited for the first one's end: %v", err)
		}
	})
	eventually(t, "the second request waits", func() bool {
		b := d.proxy.origins["app"].budget
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.waiting) == 1
	})
	close(g.open)
	first.Wait()
	second.Wait()
	d.next()
	d.next()
	if n := d.metric("evergate_retries_in_flight"); n != 0 {
		t.Errorf("%v retries under way when all is over", n)
	}
	if r, _ := d.get(); r.content != "through" {
		t.Errorf("%d; the retry has ended", r.StatusCode)
	}
}

func TestProxy_ARetryThatWaitsForAServerLeavesTheBudgetToOthers(t *testing.T) {
	// The only server dies with four requests under way. The first failure makes it
	// suspect, so all four wait for it, though one retry at a time is allowed.
	const together = 4
	var all sync.WaitGroup
	all.Add(together)
	dies := func(c *upstreamtest.Conn, r *upstreamtest.Received) bool {
		all.Done()
		all.Wait()
		return resets(c, r)
	}
	s := serve(t, dies, dies, dies, dies, ok("alive"))
	d := open(t, setup{servers: []string{s.Address},
		origin: "retry: {budget: {percent: 0, min: 1, rate: 0, burst: 20}}, health: {consecutive_failures: 1, slow_start: 0s}"})
	var visitors sync.WaitGroup
	for range together {
		visitors.Go(func() {
			if resp, err := d.client.Do(d.request("GET", nil)); err != nil || read(resp).content != "alive" {
				t.Errorf("a request that lost its server: %v", err)
			}
		})
	}
	visitors.Wait()
	for range together {
		d.next()
	}
	if n := d.metric("evergate_retries_in_flight"); n != 0 {
		t.Errorf("%v retries under way when all is over", n)
	}
}

func TestProxy_DryRunOnlySaysWhatItWouldHaveDone(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			good := serve(t, ok("good"))
			d := open(t, setup{servers: []string{f.server(t), good.Address}, origin: "retry: {dry_run: true, try_timeout: 150ms}"})
			r, x := d.get()
			if r.StatusCode != f.fatal || len(good.requests()) != 0 || len(x.Attempts) != 1 {
				t.Errorf("%d, %s; want what happens without retries", r.StatusCode, x.words())
			}
			if x.WouldRetry != f.reason || d.metric("evergate_retries_dry_run_total", "reason", f.reason) != 1 || d.metric("evergate_retries_total") != 0 {
				t.Errorf("would retry %q, want %q", x.WouldRetry, f.reason)
			}
			if x.Attempts[0].Retried || x.RetryDenied != "" {
				t.Errorf("retried %v, denied %q", x.Attempts[0].Retried, x.RetryDenied)
			}
		})
	}
}

// mortal is a server that dies of its first request, after working on it.
type mortal struct {
	addr string
	got  atomic.Int64
}

func newMortal(tb testing.TB, work time.Duration, last string) *mortal {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	m := &mortal{addr: ln.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			m.got.Add(1)
		}
		<-time.After(work)
		_ = ln.Close()
		if last == "" {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		_, _ = io.WriteString(c, last)
	})
	tb.Cleanup(func() { _ = ln.Close(); running.Wait() })
	return m
}

func TestProxy_ARequestThatKilledTwoServersNeverSeesAThird(t *testing.T) {
	deaths := []struct {
		name string
		work time.Duration
		last string
	}{
		{"at once", 0, ""},
		{"after more than a second of work", 1200 * time.Millisecond, ""},
		{"in the middle of an answer's head", 0, "HTTP/1.1 200 OK\r\nConten"},
	}
	for _, death := range deaths {
		t.Run(death.name, func(t *testing.T) {
			a, b, third := newMortal(t, death.work, death.last), newMortal(t, death.work, death.last), serve(t, ok("good"))
			d := open(t, setup{first: 2, servers: []string{a.addr, b.addr, third.Address}, origin: "retry: {attempts: 5}"})
			r, x := d.get()
			if len(third.requests()) != 0 || r.StatusCode != 502 || x.RetryDenied != whyPoison {
				t.Errorf("%d, the third got %d, denied %q, %s", r.StatusCode, len(third.requests()), x.RetryDenied, x.words())
			}
			if a.got.Load() != 1 || b.got.Load() != 1 {
				t.Errorf("the first two got %d and %d requests", a.got.Load(), b.got.Load())
			}
			if r, _ := d.get(); r.content != "good" {
				t.Errorf("another request: %d; nothing is remembered across requests", r.StatusCode)
			}
		})
	}
}

func TestProxy_MereResetsDoNotMakeARequestPoison(t *testing.T) {
	third := serve(t, ok("good"))
	d := open(t, setup{servers: []string{serve(t, resets).Address, serve(t, resets).Address, third.Address}})
	if r, x := d.get(); r.content != "good" {
		t.Errorf("%d, %s, denied %q", r.StatusCode, x.words(), x.RetryDenied)
	}
}

func TestProxy_TheTimeOfARequestBoundsAllItsAttempts(t *testing.T) {
	slow := serve(t, hangs)
	d := open(t, setup{servers: []string{slow.Address},
		origin: "retry: {attempts: 10, timeout: 1s, try_timeout: 200ms, min_try: 150ms, backoff: {base: 1ms, max: 1ms}}, health: {consecutive_failures: 100}"})
	began := time.Now()
	r, x := d.get()
	took := time.Since(began)
	if r.StatusCode != 504 || r.Header.Get("Evergate-Reason") != "timeout" || x.RetryDenied != whyDeadline {
		t.Errorf("%d, denied %q, %s", r.StatusCode, x.RetryDenied, x.words())
	}
	if took > 1200*time.Millisecond || len(x.Attempts) < 3 || len(x.Attempts) > 5 {
		t.Errorf("%d attempts in %s, want 4 or 5 within a second", len(x.Attempts), took)
	}
}

func TestProxy_ARetryAfterBeyondTheTimeLeftMeansNoRetry(t *testing.T) {
	busy := serve(t, answers(503, "busy", "Retry-After: 120"))
	d := open(t, setup{servers: []string{busy.Address}})
	began := time.Now()
	r, x := d.get()
	if r.StatusCode != 503 || r.content != "busy" || x.RetryDenied != whyDeadline || len(busy.requests()) != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("%d %q after %s, denied %q", r.StatusCode, r.content, time.Since(began), x.RetryDenied)
	}
}

func TestProxy_ARetryAfterThatFitsIsWaitedFor(t *testing.T) {
	busy := serve(t, answers(503, "busy", "Retry-After: 1"), ok("good"))
	d := open(t, setup{servers: []string{busy.Address}})
	began := time.Now()
	if r, x := d.get(); r.content != "good" || time.Since(began) < time.Second {
		t.Errorf("%d after %s, %s", r.StatusCode, time.Since(began), x.words())
	}
}

func TestProxy_WithoutAServerForTheRetryTheFailureIsAnswered(t *testing.T) {
	server := serve(t, resets)
	d := open(t, setup{servers: []string{server.Address},
		origin: "retry: {timeout: 400ms, min_try: 100ms, backoff: {base: 1ms, max: 1ms}}, health: {consecutive_failures: 1}"})
	r, x := d.get()
	if r.StatusCode != http.StatusServiceUnavailable && r.StatusCode != http.StatusBadGateway {
		t.Errorf("%d, %s, denied %q", r.StatusCode, x.words(), x.RetryDenied)
	}
	if x.RetryDenied == "" {
		t.Error("nothing says why there was no retry")
	}
}
