package upstreamtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
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

func (s *suite) deadBeforePost(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 20<<10)
	for _, tt := range []struct {
		name   string
		body   string
		length int64
	}{
		{"small", "a small body", 12},
		{"large", large, int64(len(large))},
		{"chunked", large, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			closed := make(chan struct{})
			got := make(chan *Received, 1)
			server := Serve(t, func(c *Conn) {
				r := c.Request()
				if r == nil {
					return
				}
				if c.Number == 1 {
					c.Answer("")
					_ = c.Close()
					close(closed)
					return
				}
				got <- r
				c.Answer("")
			})
			tr := s.transport(t, server, Config{ProbeAfter: time.Nanosecond})
			must(t, tr, get("/"))
			<-closed
			attempts := 0
			for attempts = 1; attempts <= 3; attempts++ {
				req := send("POST", strings.NewReader(tt.body), tt.length)
				req.Fresh = attempts > 1
				o := do(t, tr, req)
				if o.err == nil {
					break
				}
				if !o.err.Reused {
					t.Fatalf("attempt %d: %v on a new connection", attempts, o.err)
				}
			}
			r := <-got
			if r.Content != tt.body || r.ContentLength != tt.length {
				t.Errorf("attempt %d carried %d bytes with length %d, want %d with %d", attempts, len(r.Content), r.ContentLength, len(tt.body), tt.length)
			}
		})
	}
}

func (s *suite) resetAfterWrite(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT"} {
		t.Run(method, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				c.Answer("")
				if c.Request() != nil {
					c.Reset()
				}
			})
			tr := s.transport(t, server, Config{})
			must(t, tr, get("/"))
			req := get("/")
			req.Method = method
			req.Header.Set("Idempotency-Key", "abc")
			if method == "POST" || method == "PUT" {
				req.Body, req.ContentLength = strings.NewReader("body"), 4
			}
			o := do(t, tr, req)
			wantError(t, o.err, exchange.FullySent, exchange.Reset)
			if !o.err.Reused {
				t.Error("Reused is false on the second request of a connection")
			}
			if seen, told := server.Requests.Load(), 2+int64(tr.Stats().Hidden); seen != told {
				t.Errorf("the server saw %d requests, we account for %d", seen, told)
			}
		})
	}
}

func (s *suite) randomCloses(t *testing.T) {
	rounds := 10_000
	if testing.Short() {
		rounds = 1_000
	}
	const workers = 16
	back := goroutinesReturn(t)
	t.Run("rounds", func(t *testing.T) {
		server := Serve(t, func(c *Conn) {
			for {
				switch rand.IntN(6) {
				case 0: // before the request
					spin()
					return
				case 1: // while it comes
					_, _ = c.r.ReadByte()
					spin()
					c.Reset()
					return
				}
				r := c.Request()
				if r == nil {
					return
				}
				switch rand.IntN(6) {
				case 0:
					return
				case 1:
					c.Reset()
					return
				case 2: // after the answer, around the next write
					c.Answer(r.Content)
					spin()
					return
				}
				c.Answer(r.Content)
			}
		})
		tr := s.transport(t, server, Config{})
		var good, bad atomic.Int64
		var left atomic.Int64
		left.Store(int64(rounds))
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					req := get("/")
					want := ""
					switch rand.IntN(3) {
					case 0:
						want = "a small body"
						req = send("POST", strings.NewReader(want), int64(len(want)))
					case 1:
						want = "a body of unknown length"
						req = send("POST", strings.NewReader(want), -1)
					}
					o := doContext(ctx, t, tr, req)
					switch {
					case o.err == nil && o.body == want:
						good.Add(1)
					case o.err == nil:
						t.Errorf("answer %q, want %q", o.body, want)
					case o.err.Outcome == exchange.Timeout:
						t.Errorf("a request hung: %v", o.err)
					default:
						bad.Add(1)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		t.Logf("%d answered, %d failed, %d connections", good.Load(), bad.Load(), server.Accepted.Load())
		if good.Load() == 0 || bad.Load() == 0 {
			t.Error("the script did not do what it is for")
		}
	})
	back()
}

// spin lets a random, very short time go by.
func spin() {
	for range rand.IntN(2000) {
		_ = rand.Int()
	}
}

func (s *suite) badStatusLines(t *testing.T) {
	for _, line := range []string{
		"HTTP/1.1 1000 Too Much", "HTTP/1.1 099 Too Little", "HTTP/1.1 abc Letters", "200 OK", "HTTP/1.1", "HTTP/1.1 20",
		"HTTP/1.1 -20 Minus", "hello", "HTTP/one 200 OK", "",
	} {
		t.Run(line, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				if c.Number == 1 {
					c.Say(line, "\r\nContent-Length: 0\r\n\r\n")
					c.Gone()
					return
				}
				c.Answer("fine")
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, get("/"))
			wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
			eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
			if o := must(t, tr, get("/")); o.body != "fine" {
				t.Errorf("the next answer is %q", o.body)
			}
		})
	}
}

func (s *suite) hopByHop(t *testing.T) {
	got := make(chan string, 1)
	server := Serve(t, func(c *Conn) {
		got <- c.Head()
		c.Say("HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nX-A: 1\r\nconnection: X-B\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n")
		c.Gone()
	})
	tr := s.transport(t, server, Config{})
	req := get("/")
	req.Header["Connection"] = []string{"close, x-a"}
	req.Header["Keep-Alive"] = []string{"timeout=5"}
	req.Header["Transfer-Encoding"] = []string{"chunked"}
	req.Header["Content-Length"] = []string{"7"}
	req.Header["Upgrade"] = []string{"h2c"}
	req.Header["Te"] = []string{"gzip"}
	o := must(t, tr, req)
	head := strings.ToLower(<-got)
	for _, name := range []string{"connection:", "keep-alive:", "transfer-encoding:", "content-length:", "upgrade:", "te:"} {
		if strings.Contains(head, "\n"+name) {
			t.Errorf("%s was sent:\n%s", name, head)
		}
	}
	var lines []string
	for _, f := range o.fields {
		if f.Name == "Connection" {
			lines = append(lines, f.Value)
		}
	}
	if fmt.Sprint(lines) != "[close, x-a X-B]" {
		t.Errorf("Connection lines of the response: %q", lines)
	}
	eventually(t, "the connection is closed", func() bool { return tr.Stats().Open == 0 })
}

func (s *suite) poolShrinks(t *testing.T) {
	const burst = 100
	var arrived sync.WaitGroup
	arrived.Add(burst)
	all := make(chan struct{})
	go func() { arrived.Wait(); close(all) }()
	server := Serve(t, func(c *Conn) {
		if c.Request() == nil {
			return
		}
		if c.Number <= burst {
			arrived.Done()
			<-all
		}
		c.Answer("")
		Echo(c)
	})
	tr := s.transport(t, server, Config{IdleTimeout: 500 * time.Millisecond})
	var wg sync.WaitGroup
	for range burst {
		wg.Go(func() { must(t, tr, get("/")) })
	}
	wg.Wait()
	if open := tr.Stats().Open; open != burst {
		t.Fatalf("%d connections after the burst, want %d", open, burst)
	}
	dials := tr.Stats().Dials
	eventually(t, "one or two connections are left", func() bool {
		must(t, tr, get("/"))
		<-time.After(10 * time.Millisecond) // the slow trickle after the burst
		return tr.Stats().Open <= 2
	})
	if now := tr.Stats().Dials; now != dials {
		t.Errorf("%d connections were made after the burst, want none", now-dials)
	}
}

func (s *suite) idleMemory(t *testing.T) {
	if s.traits.IdleBytes == 0 {
		t.Skip("this transport keeps its buffers")
	}
	const connections = 1000
	var arrived sync.WaitGroup
	arrived.Add(connections)
	all := make(chan struct{})
	go func() { arrived.Wait(); close(all) }()
	var mu sync.Mutex
	var kept []net.Conn
	server := Serve(t, func(c *Conn) {
		c.Head()
		arrived.Done()
		<-all
		c.Answer("hello")
		mu.Lock()
		kept = append(kept, c.Keep())
		mu.Unlock()
	})
	tr := s.make(t, Config{Network: server.Network, Address: server.Address, IdleTimeout: time.Minute, ProbeAfter: time.Second, HeaderBytes: 64 << 10, HeaderFields: 200})
	before := heap()
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() { must(t, tr, get("/")) })
	}
	wg.Wait()
	if idle := tr.Stats().Idle; idle < connections*9/10 && idle < 200 {
		t.Fatalf("%d idle connections", idle)
	}
	idle := tr.Stats().Idle
	eventually(t, "the scripts are over", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(kept) == connections
	})
	with := heap()
	per := int(with-before) / idle
	t.Logf("%d bytes per idle connection, with the server's side of it", per)
	if per > s.traits.IdleBytes {
		t.Errorf("%d bytes per idle connection, want at most %d", per, s.traits.IdleBytes)
	}
	tr.Close()
	for _, c := range kept {
		_ = c.Close()
	}
}

func (s *suite) largeHeader(t *testing.T) {
	for name, fields := range map[string]string{
		"in one field":    "X-Large: " + strings.Repeat("x", 70<<10) + "\r\n",
		"in many fields":  strings.Repeat("X-F: 1\r\n", 201),
		"without an end":  strings.Repeat("x", 200<<10),
		"in empty fields": strings.Repeat("X:\r\n", 20<<10),
	} {
		t.Run(name, func(t *testing.T) {
			server := Serve(t, func(c *Conn) {
				if c.Request() == nil {
					return
				}
				if c.Number == 1 {
					c.Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", fields, "\r\n")
					c.Gone()
					return
				}
				c.Answer("fine")
			})
			tr := s.transport(t, server, Config{})
			o := do(t, tr, get("/"))
			wantError(t, o.err, exchange.FullySent, exchange.BadResponse)
			if o := must(t, tr, get("/")); o.body != "fine" {
				t.Errorf("the next answer is %q", o.body)
			}
		})
	}
	t.Run("just below the limits is fine", func(t *testing.T) {
		server := Serve(t, Replies("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Large: "+strings.Repeat("x", 60<<10)+"\r\n"+strings.Repeat("X-F: 1\r\n", 150)+"\r\n"))
		o := must(t, s.transport(t, server, Config{}), get("/"))
		if len(o.get("X-Large")) != 60<<10 {
			t.Errorf("%d bytes of the field arrived", len(o.get("X-Large")))
		}
	})
}

func (s *suite) queryBytes(t *testing.T) {
	got := make(chan string, 1)
	server := Serve(t, func(c *Conn) {
		for {
			head := c.Head()
			if head == "" {
				return
			}
			got <- head
			c.Answer("")
		}
	})
	tr := s.transport(t, server, Config{})
	for _, target := range []string{
		"/?a=1;b=2", "/?", "/a%2fb/%7e?x=%zz&y=%20+", "/;p?q;r", "/?a=b?c=d#", "/a//b/../c", "//double?x", "/\xc3\xa4?\xff", "/a'b\"c|d?{}^`",
	} {
		t.Run(target, func(t *testing.T) {
			must(t, tr, get(target))
			if head := <-got; !strings.HasPrefix(head, "GET "+target+" HTTP/1.1\r\n") {
				t.Errorf("sent %q", head)
			}
		})
	}
}
