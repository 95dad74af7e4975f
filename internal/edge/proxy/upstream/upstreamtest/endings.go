package upstreamtest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// short is a time that is meant to run out.
const short = 100 * time.Millisecond

func (s *suite) endings() []test {
	return []test{
		{"the head's time runs out", s.headTimeout},
		{"the head's time does not end a body", s.timeoutIsForTheHead},
		{"the head's clock stands still while the visitor sends", s.standingClock},
		{"the context's deadline ends a head and a body", s.contextDeadline},
		{"a context that is over sends nothing", s.deadContext},
		{"leaving during an upload interrupts it", s.leavingUpload},
		{"the head's time runs out during an upload that the server does not read", s.stuckUpload},
	}
}

// hang reads one request and never answers.
func hang(c *Conn) {
	c.Request()
	c.Gone()
}

func (s *suite) headTimeout(t *testing.T) {
	server := Serve(t, hang)
	tr := s.transport(t, server, Config{})
	for _, req := range []*upstream.Request{get("/"), send("POST", strings.NewReader("x"), 1), send("POST", strings.NewReader("x"), -1)} {
		req.Timeout = short
		within(t, patience/2, "the time-out", func() {
			o := do(t, tr, req)
			wantError(t, o.err, exchange.FullySent, exchange.Timeout)
		})
	}
	eventually(t, "the connections are closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) timeoutIsForTheHead(t *testing.T) {
	for name, answer := range map[string]string{
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
		"until close": "HTTP/1.1 200 OK\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				c.Say(answer, "first")
				<-over
				c.Say("later")
			})
			req := get("/")
			req.Timeout = short
			resp, err := s.transport(t, server, Config{}).RoundTrip(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(2*short, func() { close(over) })
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "firstlater" {
				t.Errorf("read %q, %v", b, err)
			}
			_ = resp.Close()
		})
	}
}

func (s *suite) standingClock(t *testing.T) {
	for _, length := range []int64{100_000, -1} {
		server := Serve(t, Echo)
		tr := s.transport(t, server, Config{})
		open := make(chan struct{})
		first, second := strings.Repeat("a", 50_000), strings.Repeat("b", 50_000)
		body := &gated{parts: []io.Reader{strings.NewReader(first), strings.NewReader(second)}, open: open}
		req := send("POST", body, length)
		req.Timeout = 10 * short // ample for a busy machine to send and answer, and not enough for the wait
		time.AfterFunc(12*short, func() { close(open) })
		o := do(t, tr, req)
		if o.err != nil || o.body != first+second {
			t.Errorf("length %d: %d bytes, %v", length, len(o.body), o.err)
		}
	}
	t.Run("and goes on afterwards", func(t *testing.T) {
		server := Serve(t, hang)
		open := make(chan struct{})
		body := &gated{parts: []io.Reader{strings.NewReader("a"), strings.NewReader("b")}, open: open}
		req := send("POST", body, -1)
		req.Timeout = short
		time.AfterFunc(2*short, func() { close(open) })
		within(t, patience/2, "the time-out", func() {
			o := do(t, s.transport(t, server, Config{}), req)
			wantError(t, o.err, exchange.FullySent, exchange.Timeout)
		})
	})
}

func (s *suite) contextDeadline(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		r := c.Request()
		if r != nil && r.URL.Path == "/body" {
			c.Say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		}
		c.Gone()
	})
	tr := s.transport(t, server, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	o := doContext(ctx, t, tr, get("/"))
	wantError(t, o.err, exchange.FullySent, exchange.Timeout)

	ctx, cancel = context.WithTimeout(t.Context(), 2*short)
	defer cancel()
	o = doContext(ctx, t, tr, get("/body"))
	wantError(t, o.err, exchange.Answered, exchange.Timeout)
	if o.body != "hello" {
		t.Errorf("body %q", o.body)
	}
}

func (s *suite) deadContext(t *testing.T) {
	server := Serve(t, Echo)
	tr := s.transport(t, server, Config{})
	must(t, tr, get("/"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := doContext(ctx, t, tr, get("/"))
	if o.err == nil || o.err.Outcome != exchange.Canceled || o.err.Class > exchange.NotSent {
		t.Errorf("error %v", o.err)
	}
	if n := server.Requests.Load(); n != 1 {
		t.Errorf("the server saw %d requests, want 1", n)
	}
}

func (s *suite) leavingUpload(t *testing.T) {
	back := goroutinesReturn(t)
	t.Run("run", func(t *testing.T) {
		server := Serve(t, hang)
		tr := s.transport(t, server, Config{})
		body := newBlocked(strings.NewReader("the beginning"))
		req := send("POST", body, -1)
		req.Interrupt = body.Interrupt
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-body.waiting
			cancel()
		}()
		within(t, patience/2, "leaving", func() {
			o := doContext(ctx, t, tr, req)
			wantError(t, o.err, exchange.PartlySent, exchange.Canceled)
		})
		if body.late.Load() != 0 {
			t.Error("the body was read after Interrupt")
		}
	})
	back()
}

func (s *suite) stuckUpload(t *testing.T) {
	stop := make(chan struct{})
	server := Serve(t, func(c *Conn) {
		c.Head()
		<-stop
	})
	defer close(stop)
	tr := s.transport(t, server, Config{})
	body := &endless{}
	req := send("POST", body, -1)
	req.Timeout = 3 * short
	within(t, patience/2, "the time-out", func() {
		o := do(t, tr, req)
		wantError(t, o.err, exchange.PartlySent, exchange.Timeout)
	})
	after := body.read.Load()
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
	if now := body.read.Load(); now != after {
		t.Error("the body was read after the attempt")
	}
}
