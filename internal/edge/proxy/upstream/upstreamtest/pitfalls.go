package upstreamtest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// pitfalls are those of the guide, section 5.3, with their numbers.
func (s *suite) pitfalls() []test {
	return []test{
		{"1 a server that dies in mid-body of a chunked response is an error of the body", s.diesInChunkedBody},
		{"2 a body shorter than its length is an error and its connection is not kept", s.shortBody},
		{"3 an early answer to a large upload is delivered promptly", s.earlyAnswer},
		{"4 leaving while the server hangs closes the connection and leaves no goroutine", s.leaving},
		{"5 a pooled connection that died before a POST does not harm its body", s.deadBeforePost},
		{"6 a reset after the write on a reused connection is class 3 and not repeated in secret", s.resetAfterWrite},
		{"7 a server that closes at random instants makes no request hang", s.randomCloses},
		{"8 status lines that are none are bad responses", s.badStatusLines},
		{"9 hop-by-hop fields come with every line and are never sent on", s.hopByHop},
		{"10 after a burst the pool shrinks to what is needed", s.poolShrinks},
		{"11 a thousand idle connections are cheap", s.idleMemory},
		{"11 a header of 70 KiB is a bad response", s.largeHeader},
		{"11 a query is forwarded byte for byte", s.queryBytes},
		{"12 every form of body and header is understood", s.forms},
		{"13 a tunnel with one direction closed goes on in the other", s.halfClosedTunnel},
	}
}

func (s *suite) diesInChunkedBody(t *testing.T) {
	for name, end := range map[string]func(*Conn){"FIN": func(*Conn) {}, "RST": (*Conn).Reset} {
		t.Run(name, func(t *testing.T) {
			read := make(chan struct{})
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				c.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwor")
				<-read
				end(c)
			})
			tr := s.transport(t, server, Config{})
			resp, err := tr.RoundTrip(t.Context(), get("/"))
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 5)
			if _, err := io.ReadFull(resp.Body, b); err != nil {
				t.Fatal(err)
			}
			close(read)
			_, err = io.ReadAll(resp.Body)
			e := asError(t, err)
			wantError(t, e, exchange.Answered, exchange.BadResponse)
			if !errors.Is(e, upstream.ErrCutShort) {
				t.Errorf("error %v does not wrap ErrCutShort", e)
			}
			_ = resp.Close()
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
		})
	}
}

func (s *suite) shortBody(t *testing.T) {
	server := Serve(t, Replies("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+strings.Repeat("x", 40)))
	tr := s.transport(t, server, Config{})
	o := do(t, tr, get("/"))
	wantError(t, o.err, exchange.Answered, exchange.BadResponse)
	if !errors.Is(o.err, upstream.ErrCutShort) || len(o.body) != 40 {
		t.Errorf("error %v after %d bytes, want ErrCutShort after 40", o.err, len(o.body))
	}
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) earlyAnswer(t *testing.T) {
	const upload = 50 << 20
	back := goroutinesReturn(t)
	defer func() { back() }()
	for _, tt := range []struct {
		name   string
		expect bool
		length int64
		closes bool
	}{
		{"known length, server closes", false, upload, true},
		{"known length, server stays", false, upload, false},
		{"chunked", false, -1, true},
		{"known length, Expect", true, upload, true},
		{"chunked, Expect", true, -1, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Head() == "" {
					return
				}
				c.Say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n")
				if !tt.closes {
					c.Gone()
				}
			})
			tr := s.transport(t, server, Config{})
			body := &endless{}
			req := send("POST", io.LimitReader(body, upload), tt.length)
			req.Expect = tt.expect
			within(t, patience/2, "the early answer", func() {
				o := do(t, tr, req)
				// RST may overtake the body, never the promise that there is a verdict.
				if o.status != 413 && (o.err == nil || o.err.Class != exchange.PartlySent || o.err.Outcome != exchange.Reset) {
					t.Errorf("status %d, error %v; want 413", o.status, o.err)
				}
				if o.status != 413 {
					t.Logf("the reset overtook the answer: %v", o.err)
				}
			})
			if tt.expect && body.read.Load() != 0 {
				t.Errorf("%d bytes of the body were read although the server did not want it", body.read.Load())
			}
			after := body.read.Load()
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
			if now := body.read.Load(); now != after {
				t.Errorf("%d bytes of the body were read after Close", now-after)
			}
		})
	}
	t.Run("the visitor waits for the verdict before sending on", func(t *testing.T) {
		server := Serve(t, func(c *Conn) {
			if c.Head() == "" {
				return
			}
			c.Say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
			c.Gone()
		})
		tr := s.transport(t, server, Config{})
		body := newBlocked(strings.NewReader("the beginning"))
		req := send("POST", body, upload)
		req.Interrupt = body.Interrupt
		within(t, patience/2, "the early answer", func() {
			if o := do(t, tr, req); o.status != 401 || o.err != nil {
				t.Errorf("status %d, error %v; want 401", o.status, o.err)
			}
		})
		if body.late.Load() != 0 {
			t.Error("the body was read after Interrupt")
		}
	})
}

func (s *suite) leaving(t *testing.T) {
	const prompt = 100 * time.Millisecond
	back := goroutinesReturn(t)
	best := time.Hour
	for range 3 { // a busy machine may be late once
		t.Run("leave", func(t *testing.T) {
			hanging, gone := make(chan struct{}), make(chan time.Time, 1)
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				close(hanging)
				c.Gone()
				gone <- time.Now()
			})
			tr := s.transport(t, server, Config{})
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan outcome, 1)
			go func() { result <- doContext(ctx, t, tr, get("/")) }()
			<-hanging
			left := time.Now()
			cancel()
			o := <-result
			wantError(t, o.err, exchange.FullySent, exchange.Canceled)
			best = min(best, (<-gone).Sub(left))
		})
	}
	if best >= prompt {
		t.Errorf("the connection was closed after %s, want less than %s", best, prompt)
	}
	back()
}
