package upstreamtest

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

func (s *suite) responses() []test {
	return []test{
		{"interim responses are told and do not consume the final one", s.interim},
		{"six interim responses are a bad response", s.tooManyInterim},
		{"101 that nobody asked for is a bad response", s.unaskedUpgrade},
		{"a refused upgrade is an ordinary response", s.refusedUpgrade},
		{"malformed heads are bad responses", s.malformedHeads},
		{"malformed chunks are errors of the body", s.malformedChunks},
		{"a half-read head is a bad response", s.halfHead},
		{"no answer at all is a reset", s.noAnswer},
		{"field names are canonical and values trimmed", s.fieldForms},
		{"large bodies arrive whole, however they are read", s.largeBodies},
	}
}

func (s *suite) interim(t *testing.T) {
	server := Serve(t, Replies("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nlink: </b.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal"))
	var told []string
	req := get("/")
	req.Interim = func(status int, fields []upstream.Field) { told = append(told, fmt.Sprint(status, fields)) }
	o := must(t, s.transport(t, server, Config{}), req)
	if o.status != 200 || o.body != "final" {
		t.Errorf("status %d, body %q", o.status, o.body)
	}
	want := "[100 [] 103 [{Link </a.css>} {Link </b.css>}] 102 []]"
	if got := fmt.Sprint(told); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

func (s *suite) tooManyInterim(t *testing.T) {
	const one = "HTTP/1.1 103 Early Hints\r\n\r\n"
	server := Serve(t, Replies(strings.Repeat(one, 5)+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	must(t, s.transport(t, server, Config{}), get("/"))
	server = Serve(t, Replies(strings.Repeat(one, 6)+"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	o := do(t, s.transport(t, server, Config{}), get("/"))
	wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
}

func (s *suite) unaskedUpgrade(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		c.Head()
		c.Say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: thing\r\n\r\n")
		c.Gone()
	})
	tr := s.transport(t, server, Config{})
	o := do(t, tr, get("/"))
	wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) refusedUpgrade(t *testing.T) {
	server := Serve(t, func(c *Conn) {
		if c.Head() == "" {
			return
		}
		c.Say("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		Echo(c)
	})
	tr := s.transport(t, server, Config{})
	req := get("/")
	req.Upgrade = "websocket"
	if o := must(t, tr, req); o.status != 403 || o.body != "no" {
		t.Errorf("status %d, body %q", o.status, o.body)
	}
	must(t, tr, get("/"))
}

func (s *suite) malformedHeads(t *testing.T) {
	for name, rest := range map[string]string{
		"space before the colon":     "X : y\r\n",
		"no colon":                   "Xy\r\n",
		"no name":                    ": y\r\n",
		"NUL in a value":             "X: a\x00b\r\n",
		"letters in the length":      "Content-Length: 5x\r\n",
		"sign in the length":         "Content-Length: +5\r\n",
		"list of lengths":            "Content-Length: 5, 5\r\n",
		"two different lengths":      "Content-Length: 5\r\nContent-Length: 6\r\n",
		"unknown transfer coding":    "Transfer-Encoding: gzip, chunked\r\n",
		"unknown transfer coding 2":  "Transfer-Encoding: xchunked\r\n",
		"transfer coding twice":      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"identity":                   "Transfer-Encoding: identity\r\n",
		"strict: length and chunked": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"strict: continued line":     "X: a\r\n b\r\n",
		"strict: CR in a value":      "X: a\rb\r\n",
		"strict: empty length":       "Content-Length: \r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "strict") && !s.traits.Strict {
				t.Skip("this transport is lenient")
			}
			server := Serve(t, func(c *Conn) {
				if c.Request() != nil {
					c.Say("HTTP/1.1 200 OK\r\n", rest, "\r\nhello")
				}
				c.Gone()
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, get("/"))
			wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
		})
	}
	t.Run("strict: transfer coding on HTTP/1.0", func(t *testing.T) {
		if !s.traits.Strict {
			t.Skip("this transport is lenient")
		}
		server := Serve(t, Replies("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
		o := do(t, s.transport(t, server, Config{}), get("/"))
		wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
	})
	t.Run("the same length twice is one length", func(t *testing.T) {
		server := Serve(t, Replies("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"))
		o := must(t, s.transport(t, server, Config{}), get("/"))
		n := 0
		for _, f := range o.fields {
			if f.Name == "Content-Length" {
				n++
			}
		}
		if n != 1 || o.body != "hello" {
			t.Errorf("%d lengths, body %q", n, o.body)
		}
	})
}

func (s *suite) malformedChunks(t *testing.T) {
	for name, body := range map[string]string{
		"letters as size":         "xyz\r\nhello\r\n0\r\n\r\n",
		"no size":                 "\r\nhello\r\n0\r\n\r\n",
		"size with prefix":        "0x5\r\nhello\r\n0\r\n\r\n",
		"negative size":           "-5\r\nhello\r\n0\r\n\r\n",
		"huge size":               "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
		"lone LF after the size":  "5\nhello\r\n0\r\n\r\n",
		"lone LF in an extension": "5;a\nb\r\nhello\r\n0\r\n\r\n",
		"data too long":           "5\r\nhello!\r\n0\r\n\r\n",
		"data ends with lone LF":  "5\r\nhello\n0\r\n\r\n",
		"endless size line":       "5;" + strings.Repeat("x", 10<<10) + "\r\nhello\r\n0\r\n\r\n",
		"mostly extensions":       strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\na\r\n", 20) + "0\r\n\r\n",
		"malformed trailer":       "5\r\nhello\r\n0\r\nX y\r\n\r\n",
		"endless trailer":         "5\r\nhello\r\n0\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() != nil {
					c.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body)
				}
				c.Gone()
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, get("/"))
			wantError(t, o.err, exchange.Answered, exchange.BadResponse)
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
		})
	}
}

func (s *suite) halfHead(t *testing.T) {
	for name, end := range map[string]func(*Conn){"FIN": func(*Conn) {}, "RST": (*Conn).Reset} {
		for _, half := range []string{"HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"} {
			t.Run(name, func(t *testing.T) {
				server := Serve(t, func(c *Conn) {
					if c.Request() != nil {
						c.Say(half)
						if name == "RST" {
							spin()
						}
						end(c)
					}
				})
				o := do(t, s.transport(t, server, Config{}), get("/"))
				if name == "RST" && o.err != nil && o.err.Outcome == exchange.Reset {
					return // the reset overtook the half head
				}
				wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
			})
		}
	}
}

func (s *suite) noAnswer(t *testing.T) {
	for name, end := range map[string]func(*Conn){"FIN": func(*Conn) {}, "RST": (*Conn).Reset} {
		t.Run(name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() != nil {
					end(c)
				}
			})
			o := do(t, s.transport(t, server, Config{}), get("/"))
			wantError(t, o.err, exchange.FullySent, exchange.Reset)
			if o.err.Reused {
				t.Error("Reused is true on a new connection")
			}
		})
	}
}

func (s *suite) fieldForms(t *testing.T) {
	server := Serve(t, Replies("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: a=1\r\nX-UPPER-lower:\t v w \t\r\nSet-Cookie: b=2\r\nX-Empty:\r\nX-Bytes: \xc3\xa4\xff\r\n\r\n"))
	o := must(t, s.transport(t, server, Config{}), get("/"))
	for name, want := range map[string]string{"Set-Cookie": "a=1", "X-Upper-Lower": "v w", "X-Empty": "", "X-Bytes": "\xc3\xa4\xff", "Content-Length": "0"} {
		if got := o.get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	var cookies []string
	for _, f := range o.fields {
		if f.Name == "Set-Cookie" {
			cookies = append(cookies, f.Value)
		}
	}
	if fmt.Sprint(cookies) != "[a=1 b=2]" {
		t.Errorf("cookies %q", cookies)
	}
	if len(o.fields) != 6 {
		t.Errorf("%d fields: %v", len(o.fields), o.fields)
	}
}

func (s *suite) largeBodies(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 20_000)
	chunks := func(size int) string {
		var b strings.Builder
		for rest := content; rest != ""; {
			n := min(size, len(rest))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
			rest = rest[n:]
		}
		return b.String() + "0\r\n\r\n"
	}
	for name, answer := range map[string]string{
		"length":          fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(content), content),
		"small chunks":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(7),
		"large chunks":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(50_000),
		"chunks of 8 KiB": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(8<<10),
		"until close":     "HTTP/1.1 200 OK\r\n\r\n" + content,
	} {
		server := Serve(t, func(c *Conn) {
			for c.Request() != nil {
				c.Say(answer)
				if name == "until close" {
					return
				}
			}
		})
		tr := s.transport(t, server, Config{})
		for _, size := range []int{0, 1, 100, 4 << 10, 64 << 10} {
			t.Run(fmt.Sprintf("%s, read by %d", name, size), func(t *testing.T) {
				resp, err := tr.RoundTrip(t.Context(), get("/"))
				if err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				if size == 0 {
					_, err = io.Copy(&b, resp.Body)
				} else {
					_, err = io.CopyBuffer(onlyWriter{&b}, onlyReader{resp.Body}, make([]byte, size))
				}
				if err != nil || b.String() != content {
					t.Errorf("%d bytes, %v", b.Len(), err)
				}
				if err := resp.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		if want := map[bool]uint64{true: 5, false: 1}[name == "until close"]; tr.Stats().Dials != want {
			t.Errorf("%s: %d connections, want %d", name, tr.Stats().Dials, want)
		}
	}
}

// onlyReader and onlyWriter hide the short cuts of io.Copy.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)
