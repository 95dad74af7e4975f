package upstreamtest

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

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
