package upstreamtest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

func (s *suite) forms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method string
		answer string
		status int
		length int64
		body   string
		closes bool // the connection is not kept
	}{
		{"HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 200, 0, "", false},
		{"HEAD without one", "HEAD", "HTTP/1.1 200 OK\r\n\r\n", 200, 0, "", false},
		{"HEAD announcing chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, 0, "", false},
		{"a length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, 5, "hello", false},
		{"a length of zero", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, "", false},
		{"no length", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", 200, -1, "hello", true},
		{"HTTP/1.0 without length", "GET", "HTTP/1.0 200 OK\r\n\r\nhello", 200, -1, "hello", true},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", 200, -1, "hello", false},
		{"chunks in odd case", "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n00\r\n\r\n", 200, -1, "0123456789", false},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, "", false},
		{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 55\r\n\r\n", 304, 0, "", false},
		{"an unusual status", "GET", "HTTP/1.1 799 Own\r\nContent-Length: 0\r\n\r\n", 799, 0, "", false},
		{"no reason phrase", "GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, 0, "", false},
		{"no space after the status", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, 0, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				r := c.Request()
				if r == nil {
					return
				}
				c.Say(tt.answer)
				if !tt.closes {
					Echo(c)
				}
			})
			tr := s.transport(t, server, Config{})
			req := get("/")
			req.Method = tt.method
			o := must(t, tr, req)
			if o.status != tt.status || o.length != tt.length || o.body != tt.body {
				t.Errorf("status %d, length %d, body %q; want %d, %d, %q", o.status, o.length, o.body, tt.status, tt.length, tt.body)
			}
			if strings.Contains(tt.answer, "Content-Length") != (o.get("Content-Length") != "") {
				t.Errorf("Content-Length is %q", o.get("Content-Length"))
			}
			if tt.closes {
				eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
				return
			}
			if o := must(t, tr, get("/")); !o.reused {
				t.Error("the connection was not used again")
			}
		})
	}
	t.Run("websocket fields in any letter case", s.websocketCase)
	t.Run("response trailers", s.responseTrailers)
}

func (s *suite) websocketCase(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		head := c.Head()
		lower := strings.ToLower(head)
		if !strings.Contains(lower, "\r\nconnection: upgrade\r\n") || !strings.Contains(lower, "\r\nupgrade: websocket\r\n") ||
			!strings.Contains(lower, "\r\nsec-websocket-key: abc\r\n") {
			c.Say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		c.Say("HTTP/1.1 101 Switching Protocols\r\nUPGRADE: websocket\r\nconnection: upgrade\r\nSEC-WEBSOCKET-ACCEPT: xyz\r\n\r\nfirst")
		_, _ = io.Copy(c.Conn, c.r)
	})
	tr := s.transport(t, server, Config{})
	req := get("/ws")
	req.Header = http.Header{"Sec-Websocket-Key": {"abc"}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	req.Upgrade = "websocket"
	resp, err := tr.RoundTrip(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 101 || resp.Conn == nil || resp.Get("Sec-Websocket-Accept") != "xyz" || resp.Get("Upgrade") != "websocket" {
		t.Fatalf("status %d, fields %v", resp.Status, resp.Fields)
	}
	conn := resp.Conn
	if err := resp.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "second"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len("firstsecond"))
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "firstsecond" {
		t.Errorf("read %q, %v", b, err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) responseTrailers(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		if c.Request() == nil {
			return
		}
		c.Say("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n")
		Echo(c)
	})
	tr := s.transport(t, server, Config{})
	o := must(t, tr, get("/"))
	if o.body != "hello" || len(o.trailer) != 1 || o.trailer[0] != (upstream.Field{Name: "X-Sum", Value: "42"}) {
		t.Errorf("body %q, trailer %v", o.body, o.trailer)
	}
	if o := must(t, tr, get("/")); !o.reused {
		t.Error("the connection was not used again")
	}
}

func (s *suite) halfClosedTunnel(t *testing.T) {
	open := func(t *testing.T, script func(*Conn)) io.ReadWriteCloser {
		server := Serve(t, func(c *Conn) {
			c.Head()
			c.Say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: thing\r\n\r\n")
			script(c)
		})
		req := get("/")
		req.Upgrade = "thing"
		resp, err := s.transport(t, server, Config{}).RoundTrip(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Conn.Close() })
		return resp.Conn
	}
	t.Run("ours", func(t *testing.T) {
		conn := open(t, func(c *Conn) {
			sent, _ := io.ReadAll(c.r)
			c.Say("got ", string(sent))
		})
		if _, err := io.WriteString(conn, "all of it"); err != nil {
			t.Fatal(err)
		}
		half, ok := conn.(interface{ CloseWrite() error })
		if !ok {
			t.Fatal("the connection has no CloseWrite")
		}
		if err := half.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(conn); err != nil || string(b) != "got all of it" {
			t.Errorf("read %q, %v", b, err)
		}
	})
	t.Run("theirs", func(t *testing.T) {
		got := make(chan string, 1)
		conn := open(t, func(c *Conn) {
			c.Say("bye")
			c.CloseWrite()
			b, _ := io.ReadAll(c.r)
			got <- string(b)
		})
		if b, err := io.ReadAll(conn); err != nil || string(b) != "bye" {
			t.Fatalf("read %q, %v", b, err)
		}
		if _, err := io.WriteString(conn, "still here"); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if s := <-got; s != "still here" {
			t.Errorf("the server got %q", s)
		}
	})
}
