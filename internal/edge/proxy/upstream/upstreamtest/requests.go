package upstreamtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

func (s *suite) requests() []test {
	return []test{
		{"nothing is invented", s.nothingInvented},
		{"extra fields replace those of the header", s.extraFields},
		{"bodies arrive as they are", s.requestBodies},
		{"trailers arrive", s.requestTrailers},
		{"what cannot be written is refused before anything is sent", s.invalidRequests},
		{"with Expect the body waits for 100", s.expectContinue},
		{"with Expect a silent server gets the body after a second", s.expectSilence},
		{"with Expect an early verdict leaves the body untouched", s.expectVerdict},
		{"a body that fails is the visitor's fault", s.failingBody},
		{"a body that ends early is the visitor's fault", s.endingBody},
		{"a body that panics is an error", s.panickingBody},
		{"a response may come while the body goes on", s.fullDuplex},
	}
}

// sentHead makes one attempt with req and returns the head that was sent, as lines.
func (s *suite) sentHead(t *testing.T, req *upstream.Request) []string {
	t.Helper()
	got := make(chan string, 1)
	server := Serve(t, func(c *Conn) {
		got <- c.Head()
		c.Say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		c.Gone()
	})
	must(t, s.transport(t, server, Config{}), req)
	return strings.Split(strings.TrimSuffix(<-got, "\r\n\r\n"), "\r\n")
}

func (s *suite) nothingInvented(t *testing.T) {
	for _, tt := range []struct {
		req  *upstream.Request
		want []string // beside the request line and Host
	}{
		{get("/"), nil},
		{&upstream.Request{Method: "HEAD", Target: "/", Host: "example.org"}, nil},
		{&upstream.Request{Method: "DELETE", Target: "/", Host: "example.org"}, nil},
		{&upstream.Request{Method: "POST", Target: "/", Host: "example.org"}, []string{"Content-Length: 0"}},
		{send("POST", strings.NewReader("abc"), 3), []string{"Content-Length: 3"}},
		{send("GET", strings.NewReader("abc"), 3), []string{"Content-Length: 3"}},
		{&upstream.Request{Method: "GET", Target: "/", Host: "example.org", Header: http.Header{"Accept": {"a", "b"}, "X-Empty": {""}}}, []string{"Accept: a", "Accept: b", "X-Empty: "}},
	} {
		t.Run(tt.req.Method, func(t *testing.T) {
			lines := s.sentHead(t, tt.req)
			if lines[0] != tt.req.Method+" / HTTP/1.1" {
				t.Errorf("request line %q", lines[0])
			}
			rest := slices.Sorted(slices.Values(lines[1:]))
			want := slices.Sorted(slices.Values(append([]string{"Host: example.org"}, tt.want...)))
			if !slices.Equal(rest, want) {
				t.Errorf("sent %q, want %q", rest, want)
			}
		})
	}
}

func (s *suite) extraFields(t *testing.T) {
	req := get("/")
	req.Header = http.Header{"X-Forwarded-For": {"junk", "more"}, "X-Other": {"kept"}}
	req.Extra = []upstream.Field{{Name: "X-Forwarded-For", Value: "192.0.2.1"}, {Name: "Evergate-Attempt", Value: "2"}}
	lines := s.sentHead(t, req)
	got := slices.Sorted(slices.Values(lines[2:]))
	want := []string{"Evergate-Attempt: 2", "X-Forwarded-For: 192.0.2.1", "X-Other: kept"}
	if !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if len(req.Header["X-Forwarded-For"]) != 2 {
		t.Error("the shared header was changed")
	}
}

func (s *suite) requestBodies(t *testing.T) {
	server := Serve(t, Echo)
	tr := s.transport(t, server, Config{})
	for _, size := range []int{1, 1000, 64 << 10, 64<<10 + 1, 1 << 20} {
		content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		for _, length := range []int64{int64(size), -1} {
			t.Run(fmt.Sprintf("%d bytes, length %d", size, length), func(t *testing.T) {
				o := must(t, tr, send("POST", strings.NewReader(content), length))
				if o.body != content {
					t.Errorf("%d bytes came back", len(o.body))
				}
			})
		}
	}
	t.Run("a body longer than its length is cut", func(t *testing.T) {
		if o := do(t, tr, send("POST", strings.NewReader("abcdef"), 3)); o.err == nil && o.body != "abc" {
			t.Errorf("sent %q", o.body)
		}
	})
}

func (s *suite) requestTrailers(t *testing.T) {
	got := make(chan *Received, 1)
	server := Serve(t, func(c *Conn) {
		got <- c.Request()
		c.Answer("")
	})
	trailer := http.Header{"X-Sum": nil}
	body := &onEnd{Reader: strings.NewReader("hello"), end: func() { trailer["X-Sum"] = []string{"42"} }}
	req := send("POST", body, -1)
	req.Trailer = trailer
	must(t, s.transport(t, server, Config{}), req)
	r := <-got
	if r.Content != "hello" || r.Trailer.Get("X-Sum") != "42" {
		t.Errorf("body %q, trailer %v", r.Content, r.Trailer)
	}
}

// onEnd calls end before it says io.EOF.
type onEnd struct {
	io.Reader
	end func()
}

func (o *onEnd) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	if err != nil {
		o.end()
	}
	return n, err
}

func (s *suite) invalidRequests(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		if b, _ := io.ReadAll(c.r); len(b) > 0 {
			t.Errorf("sent %q", b)
		}
	})
	tr := s.transport(t, server, Config{})
	for name, change := range map[string]func(*upstream.Request){
		"LF in a value":          func(r *upstream.Request) { r.Header["X"] = []string{"a\nInjected: b"} },
		"CRLF in a value":        func(r *upstream.Request) { r.Header["X"] = []string{"a\r\nInjected: b"} },
		"NUL in a value":         func(r *upstream.Request) { r.Header["X"] = []string{"a\x00b"} },
		"LF in an extra value":   func(r *upstream.Request) { r.Extra = []upstream.Field{{Name: "X", Value: "a\nb"}} },
		"colon in a name":        func(r *upstream.Request) { r.Header["X: y"] = []string{"a"} },
		"space in an extra name": func(r *upstream.Request) { r.Extra = []upstream.Field{{Name: "X y", Value: "a"}} },
		"space in the target":    func(r *upstream.Request) { r.Target = "/a HTTP/1.1" },
		"LF in the target":       func(r *upstream.Request) { r.Target = "/a\n" },
		"no target":              func(r *upstream.Request) { r.Target = "" },
		"absolute target":        func(r *upstream.Request) { r.Target = "http://example.org/" },
		"space in the method":    func(r *upstream.Request) { r.Method = "GET /" },
		"CONNECT":                func(r *upstream.Request) { r.Method = "CONNECT" },
		"LF in the host":         func(r *upstream.Request) { r.Host = "example.org\nX: y" },
		"LF in the upgrade":      func(r *upstream.Request) { r.Upgrade = "websocket\nX: y" },
	} {
		t.Run(name, func(t *testing.T) {
			req := get("/")
			change(req)
			o := do(t, tr, req)
			if o.err == nil || !errors.Is(o.err, upstream.ErrInvalidRequest) {
				t.Fatalf("error %v, want ErrInvalidRequest", o.err)
			}
			if o.err.Class > exchange.NotSent || o.err.Outcome != exchange.Canceled {
				t.Errorf("class %d, %s; nothing was sent and the server is not to blame", o.err.Class, o.err.Outcome)
			}
		})
	}
}

func (s *suite) expectContinue(t *testing.T) {
	for _, length := range []int64{4, -1} {
		t.Run(fmt.Sprintf("length %d", length), func(t *testing.T) {
			body := &counted{Reader: strings.NewReader("body")}
			server := Serve(t, func(c *Conn) {
				for {
					r, err := http.ReadRequest(c.r)
					if err != nil {
						return
					}
					if r.Header.Get("Expect") != "100-continue" {
						t.Errorf("Expect is %q", r.Header.Get("Expect"))
					}
					if body.reads.Load() != 0 {
						t.Error("the body was read before 100")
					}
					c.Say("HTTP/1.1 100 Continue\r\n\r\n")
					b, _ := io.ReadAll(r.Body)
					c.Answer(string(b))
					Echo(c)
				}
			})
			tr := s.transport(t, server, Config{})
			req := send("POST", body, length)
			req.Header.Set("Expect", "100-continue")
			req.Expect = true
			began := time.Now()
			if o := must(t, tr, req); o.body != "body" {
				t.Errorf("answer %q", o.body)
			}
			if took := time.Since(began); took > 900*time.Millisecond {
				t.Errorf("it took %s: 100 was not noticed", took)
			}
			if o := must(t, tr, get("/")); !o.reused {
				t.Error("the connection was not used again")
			}
		})
	}
}

func (s *suite) expectSilence(t *testing.T) {
	t.Parallel()
	server := Serve(t, Echo)
	req := send("POST", strings.NewReader("body"), 4)
	req.Expect = true
	began := time.Now()
	if o := must(t, s.transport(t, server, Config{}), req); o.body != "body" {
		t.Errorf("answer %q", o.body)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > patience/2 {
		t.Errorf("the body went out after %s, want about 1 s", took)
	}
}

func (s *suite) expectVerdict(t *testing.T) {
	for _, status := range []string{"417 Expectation Failed", "401 Unauthorized", "200 OK"} {
		t.Run(status, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Head() == "" {
					return
				}
				c.Say("HTTP/1.1 ", status, "\r\nContent-Length: 3\r\n\r\nno\n")
				c.Gone()
			})
			tr := s.transport(t, server, Config{})
			body := &counted{Reader: strings.NewReader("body")}
			req := send("PUT", body, 4)
			req.Expect = true
			o := must(t, tr, req)
			if o.body != "no\n" || body.reads.Load() != 0 {
				t.Errorf("answer %q, the body was read %d times", o.body, body.reads.Load())
			}
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
		})
	}
}

var errVisitor = errors.New("the visitor's line is bad")

func (s *suite) failingBody(t *testing.T) {
	for _, length := range []int64{1000, 1 << 20, -1} {
		t.Run(fmt.Sprintf("length %d", length), func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if r := c.Request(); r != nil {
					t.Errorf("a whole request arrived: %q", r.Content)
				}
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, send("POST", &failing{strings.NewReader("the beginning"), errVisitor}, length))
			if o.err == nil || !errors.Is(o.err, upstream.ErrRequestBody) || !errors.Is(o.err, errVisitor) {
				t.Fatalf("error %v, want ErrRequestBody with its cause", o.err)
			}
			if o.err.Outcome != exchange.Canceled || o.err.Class > exchange.PartlySent {
				t.Errorf("class %d, %s", o.err.Class, o.err.Outcome)
			}
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
		})
	}
}

func (s *suite) endingBody(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		if r := c.Request(); r != nil {
			t.Errorf("a whole request arrived: %q", r.Content)
		}
	})
	for _, length := range []int64{1000, 1 << 20} {
		o := do(t, s.transport(t, server, Config{}), send("POST", strings.NewReader("too short"), length))
		if o.err == nil || !errors.Is(o.err, upstream.ErrRequestBody) || o.err.Outcome != exchange.Canceled {
			t.Errorf("length %d: error %v, want ErrRequestBody", length, o.err)
		}
	}
}

func (s *suite) panickingBody(t *testing.T) {
	server := Serve(t, Echo)
	o := do(t, s.transport(t, server, Config{}), send("POST", panicking{}, -1))
	if o.err == nil || !errors.Is(o.err, upstream.ErrRequestBody) {
		t.Errorf("error %v, want ErrRequestBody", o.err)
	}
}

func (s *suite) fullDuplex(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		r, err := http.ReadRequest(c.r)
		if err != nil {
			return
		}
		b := make([]byte, 5)
		_, _ = io.ReadFull(r.Body, b)
		c.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", string(b), "\r\n")
		rest, _ := io.ReadAll(r.Body)
		c.Say(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(rest), rest))
		Echo(c)
	})
	tr := s.transport(t, server, Config{})
	open := make(chan struct{})
	body := &gated{parts: []io.Reader{strings.NewReader("hello"), strings.NewReader("world")}, open: open}
	resp, err := tr.RoundTrip(t.Context(), send("POST", body, -1))
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "hello" {
		t.Fatalf("read %q, %v", b, err)
	}
	close(open)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "world" {
		t.Errorf("read %q, %v", rest, err)
	}
	if err := resp.Close(); err != nil {
		t.Error(err)
	}
	if o := must(t, tr, get("/")); !o.reused {
		t.Error("the connection was not used again")
	}
}
