package upstreamtest

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

func (s *suite) reuse() []test {
	return []test{
		{"connections are kept or closed by the rules", s.reuseRules},
		{"a body left unread closes the connection", s.unreadBody},
		{"a cancel during the body closes the connection", s.cancelledBody},
		{"a cancel after Close does not harm the connection", s.lateCancel},
		{"what a server sends unasked is never an answer", s.unsolicited},
		{"the connection used last is used first", s.lifo},
	}
}

func (s *suite) reuseRules(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		kept   bool
	}{
		{"HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
		{"HTTP/1.1 with keep-alive", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
		{"Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		{"close among others", "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 2\r\n\r\nok", false},
		{"close on a second line", "HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
		{"HTTP/1.0 with keep-alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", true},
		{"more than the length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more", false},
		{"a second response", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", false},
		{"204 with a body", "HTTP/1.1 204 No Content\r\n\r\nevil", false},
		{"more than the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				if c.Number > 1 {
					c.Answer("good")
					return
				}
				c.Say(tt.answer)
				if c.Request() != nil {
					c.Answer("good")
				}
			})
			tr := s.transport(t, server, Config{})
			o := must(t, tr, get("/"))
			if o.body != "ok" && o.status != 204 {
				t.Errorf("the first body is %q", o.body)
			}
			o = do(t, tr, get("/"))
			if !s.traits.Strict && !tt.kept && o.err != nil && o.err.Reused {
				return // what followed the last chunk was noticed late, but was not taken for an answer
			}
			if o.err != nil || o.body != "good" || o.reused != tt.kept {
				t.Errorf("the second body is %q, %v, on a reused connection: %v; want %v", o.body, o.err, o.reused, tt.kept)
			}
		})
	}
}

func (s *suite) unreadBody(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		if c.Request() != nil {
			c.Say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", strings.Repeat("x", 1_000_000))
		}
		c.Gone()
	})
	tr := s.transport(t, server, Config{})
	resp, err := tr.RoundTrip(t.Context(), get("/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := resp.Close(); err != nil {
		t.Error(err)
	}
	if err := resp.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
	if n, err := resp.Body.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("read %d bytes after Close, %v", n, err)
	}
}

func (s *suite) cancelledBody(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		if c.Request() != nil {
			c.Say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
		}
		c.Gone()
	})
	tr := s.transport(t, server, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := tr.RoundTrip(ctx, get("/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the body ended well after a cancel")
	}
	_ = resp.Close()
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) lateCancel(t *testing.T) {
	server := Serve(t, Echo)
	tr := s.transport(t, server, Config{})
	for range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		if o := doContext(ctx, t, tr, get("/")); o.err != nil {
			t.Fatal(o.err)
		}
		cancel()
	}
	if n := server.Accepted.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func (s *suite) unsolicited(t *testing.T) {
	said := make(chan struct{})
	server := Serve(t, func(c *Conn) {
		if c.Request() == nil {
			return
		}
		c.Answer("good")
		if c.Number == 1 {
			c.Say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			close(said)
		}
		Echo(c)
	})
	tr := s.transport(t, server, Config{ProbeAfter: 1})
	must(t, tr, get("/"))
	<-said
	for range 3 {
		req := get("/")
		req.Fresh = true
		if o := do(t, tr, req); o.err == nil && o.body == "evil" {
			t.Fatal("the unasked answer was taken for ours")
		}
	}
}

func (s *suite) lifo(t *testing.T) {
	server := Serve(t, func(c *Conn) { Echo(c) })
	tr := s.transport(t, server, Config{})
	var held []*upstream.Response
	for range 3 {
		// With a body: a transport may give the connection of an empty one back at once.
		resp, err := tr.RoundTrip(t.Context(), send("POST", strings.NewReader("hello"), 5))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, resp)
	}
	want := ""
	for _, i := range []int{2, 0, 1} {
		want = held[i].Get("Conn")
		if _, err := io.Copy(io.Discard, held[i].Body); err != nil {
			t.Fatal(err)
		}
		_ = held[i].Close()
		eventually(t, "the connection is idle", func() bool { return tr.Stats().Idle > 0 })
	}
	eventually(t, "all are idle", func() bool { return tr.Stats().Idle == 3 })
	for range 5 {
		if o := must(t, tr, get("/")); o.get("Conn") != want {
			t.Errorf("connection %s was used, want %s", o.get("Conn"), want)
		}
	}
}
