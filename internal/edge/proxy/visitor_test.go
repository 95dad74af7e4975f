package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/dial"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

func TestProxy_AVisitorWhoLeavesBeforeTheAnswerCancelsTheAttempt(t *testing.T) {
	protocols(t, func(t *testing.T, h2 bool) {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method, func(t *testing.T) {
				arrived, gone := make(chan struct{}), make(chan time.Time, 1)
				server := serve(t, func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
					arrived <- struct{}{}
					c.Gone()
					gone <- time.Now()
					return false
				})
				other := serve(t, ok("good"))
				d := openFor(t, h2, setup{servers: []string{server.Address, other.Address}, origin: "retry: {idempotent: true}"})
				ctx, leave := withCancel(t)
				var left time.Time
				go func() { <-arrived; left = time.Now(); leave() }()
				var body io.Reader
				if method == "POST" {
					body = strings.NewReader("a letter")
				}
				if _, err := d.client.Do(d.request(method, body).WithContext(ctx)); err == nil {
					t.Fatal("an answer came")
				}
				x := d.next()
				if x.Status != 499 || x.Abort != abortVisitor || x.words() != "3 canceled" || x.RetryDenied != "" {
					t.Errorf("status %d, abort %q, %s, denied %q", x.Status, x.Abort, x.words(), x.RetryDenied)
				}
				if took := (<-gone).Sub(left); took > 400*time.Millisecond { // 100 ms on a machine that is not shared
					t.Errorf("the server's connection was closed after %s", took)
				}
				if s := d.proxy.Snapshots()[0].Servers[0]; s.Failures != 0 || s.LastError != "" {
					t.Errorf("the server is blamed: %+v", s)
				}
				if len(other.requests()) != 0 {
					t.Error("the request was retried for nobody")
				}
			})
		}
	})
}

func TestProxy_AVisitorWhoLeavesInMidBodyIsGone(t *testing.T) {
	for _, size := range []int{1000, 10 << 20} {
		t.Run(fmt.Sprint("of ", size, " bytes"), func(t *testing.T) {
			server := serve(t, ok("good"))
			d := open(t, setup{servers: []string{server.Address, serve(t, ok("other")).Address}})
			c, err := net.Dial("tcp", d.addr)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size/2))
			_ = c.Close()
			x := d.next()
			if x.Status != 499 || x.Abort != abortVisitor || x.RetryDenied != "" {
				t.Errorf("status %d, abort %q, %s, denied %q", x.Status, x.Abort, x.words(), x.RetryDenied)
			}
			for _, a := range x.Attempts {
				if a.Failed() {
					t.Errorf("an attempt is said to have failed: %s", x.words())
				}
			}
		})
	}
}

// timeouts is a body that fails as one that came too slowly.
type failingBody struct {
	io.ReadCloser
	after int
	err   error
}

func (b *failingBody) Read(p []byte) (int, error) {
	if b.after <= 0 {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.after)])
	b.after -= n
	return n, err
}

func TestProxy_ABodyThatCannotBeReadIsTheVisitorsFault(t *testing.T) {
	tests := []struct {
		name    string
		gateway func(w http.ResponseWriter, r *http.Request)
		status  int
		reason  string
	}{
		{"too large", func(w http.ResponseWriter, r *http.Request) { r.Body = http.MaxBytesReader(w, r.Body, 500) }, 413, ReasonBodyTooLarge},
		{"too slow", func(_ http.ResponseWriter, r *http.Request) {
			r.Body = &failingBody{r.Body, 500, fmt.Errorf("body: %w", os.ErrDeadlineExceeded)}
		}, 408, ReasonBodyTimeout},
		{"too slow, says the network", func(_ http.ResponseWriter, r *http.Request) {
			r.Body = &failingBody{r.Body, 500, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}}
		}, 408, ReasonBodyTimeout},
		{"broken", func(_ http.ResponseWriter, r *http.Request) {
			r.Body = &failingBody{r.Body, 500, fmt.Errorf("invalid byte in chunk length")}
		}, 400, ReasonBadBody},
	}
	for _, tt := range tests {
		for _, size := range []int{1000, 300 << 10} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprint(tt.name, ", ", size, " bytes, length known ", known), func(t *testing.T) {
					server := serve(t, ok("good"))
					d := open(t, setup{servers: []string{server.Address, serve(t, ok("other")).Address}, gateway: tt.gateway})
					var body io.Reader = bytes.NewReader(noise(size))
					if !known {
						body = unknown{body}
					}
					r, x := d.visit(d.request("PUT", body))
					if r.StatusCode != tt.status || r.Header.Get("Evergate-Reason") != tt.reason || r.content != tt.reason {
						t.Errorf("%d %q, want %d %s", r.StatusCode, r.content, tt.status, tt.reason)
					}
					if len(server.requests()) != 0 || x.RetryDenied != "" {
						t.Errorf("the server got a whole request; denied %q", x.RetryDenied)
					}
					if s := d.proxy.Snapshots()[0].Servers[0]; s.Failures != 0 {
						t.Error("the server is blamed")
					}
				})
			}
		}
	}
}

func TestProxy_JunkInAChunkedBodyIs400(t *testing.T) {
	d := open(t, setup{servers: []string{serve(t, ok("good")).Address}})
	got := d.raw("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 400") || !strings.Contains(got, "Connection: close") {
		t.Errorf("got %q", got)
	}
	if x := d.next(); x.Status != 400 || x.words() != "2 canceled" {
		t.Errorf("status %d, %s", x.Status, x.words())
	}
}

// early is a server that answers after the head and n bytes of the body, and
// does not read on.
func early(tb testing.TB, n int, answer string) *upstreamtest.Server {
	return upstreamtest.Serve(tb, func(c *upstreamtest.Conn) {
		if c.Head() == "" {
			return
		}
		_, _ = io.CopyN(io.Discard, c.Conn, int64(n))
		c.Say(answer)
		hold := c.Keep()
		tb.Cleanup(func() { _ = hold.Close() })
	})
}

func TestProxy_AnEarlyAnswerReachesAVisitorWhoStillSends(t *testing.T) {
	protocols(t, func(t *testing.T, h2 bool) {
		for _, status := range []int{401, 413} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprint(status, ", length known ", known), func(t *testing.T) {
					server := early(t, 0, fmt.Sprintf("HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno", status))
					d := openFor(t, h2, setup{servers: []string{server.Address}})
					var body io.Reader = bytes.NewReader(make([]byte, 50<<20))
					if !known {
						body = unknown{body}
					}
					began := time.Now()
					resp, err := d.client.Do(d.request("POST", body))
					if err != nil {
						t.Fatal(err)
					}
					r := read(resp)
					if r.StatusCode != status || r.content != "no" || time.Since(began) > 5*time.Second {
						t.Errorf("%d %q after %s", r.StatusCode, r.content, time.Since(began))
					}
					if x := d.next(); x.Status != status || x.words() != fmt.Sprintf("5 success %d", status) {
						t.Errorf("status %d, %s, abort %q", x.Status, x.words(), x.Abort)
					}
				})
			}
		}
	})
}

func TestProxy_AVisitorWhoReadsALittleLaterStillGetsTheEarlyAnswer(t *testing.T) {
	server := early(t, 0, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
	d := open(t, setup{servers: []string{server.Address}})
	for range 1 {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n")
		var sending sync.WaitGroup
		sending.Go(func() { // a little at a time, so that the door waits for more when it gives up
			for {
				if _, err := c.Write(make([]byte, 512)); err != nil {
					return
				}
				<-time.After(time.Millisecond)
			}
		})
		d.next()
		<-time.After(150 * time.Millisecond)
		if got, _ := io.ReadAll(c); !strings.HasPrefix(string(got), "HTTP/1.1 413") {
			t.Errorf("got %q: the connection was reset before the answer was read", got)
		}
		_ = c.Close()
		sending.Wait()
	}
}

func TestProxy_AnEarlyFailureOfAnUploadIsRetriedWithTheWholeBody(t *testing.T) {
	for _, answer := range []string{"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy", "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy"} {
		first := early(t, 1000, answer)
		good, got := sums(t, ok("good"))
		d := open(t, setup{servers: []string{first.Address, good.Address}})
		body := noise(5 << 20)
		pr, pw := io.Pipe()
		go func() {
			_, _ = pw.Write(body[:1<<20])
			<-time.After(50 * time.Millisecond) // the answer comes while the visitor pauses
			_, _ = pw.Write(body[1<<20:])
			_ = pw.Close()
		}()
		r, x := d.visit(d.request("POST", pr))
		if r.content != "good" || len(got()) != 1 || got()[0] != sumOf(body) {
			t.Errorf("%d %q, %s, denied %q", r.StatusCode, r.content, x.words(), x.RetryDenied)
		}
		d.close()
	}
}

func TestProxy_Expect(t *testing.T) {
	expectant := func(t *testing.T, after act) string {
		return upstreamtest.Serve(t, func(c *upstreamtest.Conn) {
			if head := c.Head(); !strings.Contains(head, "Expect: 100-continue") {
				t.Errorf("head %q", head)
			}
			after(c, nil)
		}).Address
	}
	says100 := func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
		c.Say("HTTP/1.1 100 Continue\r\n\r\n")
		body := make([]byte, 100<<10)
		if _, err := io.ReadFull(c.Conn, body); err != nil {
			t.Errorf("the body: %v", err)
		}
		c.Say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
		c.Gone()
		return false
	}
	no := func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
		c.Say("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
		c.Gone()
		return false
	}
	busy := func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
		c.Say("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")
		c.Gone()
		return false
	}
	t.Run("the body is asked for when the server wants it", func(t *testing.T) {
		d := open(t, setup{servers: []string{expectant(t, says100)}})
		if r, x := d.visit(d.request("POST", bytes.NewReader(noise(100<<10)), "Expect", "100-continue")); r.content != "good" {
			t.Errorf("%d, %s", r.StatusCode, x.words())
		}
	})
	t.Run("an early no leaves the body unasked for", func(t *testing.T) {
		d := open(t, setup{servers: []string{expectant(t, no)}})
		body := &counted{Reader: bytes.NewReader(noise(100 << 10))}
		r, x := d.visit(d.request("POST", body, "Expect", "100-continue"))
		if r.StatusCode != 413 || body.n != 0 {
			t.Errorf("%d, %d bytes sent, %s", r.StatusCode, body.n, x.words())
		}
	})
	t.Run("one who declines is followed by one who wants it", func(t *testing.T) {
		d := open(t, setup{servers: []string{expectant(t, busy), expectant(t, says100)}})
		if r, x := d.visit(d.request("POST", bytes.NewReader(noise(100<<10)), "Expect", "100-continue")); r.content != "good" {
			t.Errorf("%d, %s, denied %q", r.StatusCode, x.words(), x.RetryDenied)
		}
	})
}

type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestProxy_AnUploadMayTakeLongerThanTheTimeOfAnAttempt(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{good.Address}, origin: "retry: {timeout: 400ms, try_timeout: 300ms, min_try: 10ms}"})
	pr, pw := io.Pipe()
	go func() {
		for range 6 {
			<-time.After(150 * time.Millisecond)
			_, _ = pw.Write(make([]byte, 20<<10))
		}
		_ = pw.Close()
	}()
	if r, x := d.visit(d.request("POST", pr)); r.content != "good" {
		t.Errorf("%d, %s: the clock stands still while the visitor sends", r.StatusCode, x.words())
	}
}

func TestProxy_AServerThatTakesNothingRunsOutOfTime(t *testing.T) {
	stuck := upstreamtest.Serve(t, func(c *upstreamtest.Conn) {
		if c.Head() != "" {
			hold := c.Keep()
			t.Cleanup(func() { _ = hold.Close() })
		}
	})
	good, got := sums(t, ok("good"))
	d := open(t, setup{servers: []string{stuck.Address, good.Address}, origin: "retry: {try_timeout: 1500ms}"})
	body := noise(12 << 20)
	began := time.Now()
	r, x := d.visit(d.request("PUT", bytes.NewReader(body)))
	if r.content != "good" || len(got()) != 1 || got()[0] != sumOf(body) || time.Since(began) > 8*time.Second {
		t.Errorf("%d, %s after %s, denied %q", r.StatusCode, x.words(), time.Since(began), x.RetryDenied)
	}
	if !strings.HasPrefix(x.words(), "2 timeout retried") {
		t.Errorf("attempts %s", x.words())
	}
}

func TestProxy_ARequestThatCannotBeSaidToAServerIsRefused(t *testing.T) {
	server := serve(t, ok("good"))
	d := open(t, setup{servers: []string{server.Address}, gateway: func(_ http.ResponseWriter, r *http.Request) {
		r.Header["X-Bad"] = []string{"a\r\nX-Smuggled: 1"}
	}})
	r, x := d.get()
	if r.StatusCode != 400 || r.content != ReasonBadRequest || len(server.requests()) != 0 {
		t.Errorf("%d %q, %s", r.StatusCode, r.content, x.words())
	}
}

func TestProxy_AConnectionThatWasCutIsNotUsedAgain(t *testing.T) {
	server := upstreamtest.Serve(t, upstreamtest.Echo)
	tr, err := dial.Transport(origin.TransportSpec{Kind: "lean", Network: "tcp", Address: server.Address, MaxIdle: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for i := range 2 {
		resp, err := tr.RoundTrip(t.Context(), &upstream.Request{Method: "POST", Target: "/", Host: "a", Header: http.Header{}, Body: strings.NewReader("x"), ContentLength: 1, Timeout: patience})
		if err != nil {
			t.Fatalf("request %d: %v", i+1, err)
		}
		if body, err := io.ReadAll(bufio.NewReader(resp.Body)); string(body) != "x" || err != nil {
			t.Errorf("request %d: %q, %v", i+1, body, err)
		}
		resp.Cut() // a timer that fires just when all was read
		_ = resp.Close()
	}
	if s := tr.Stats(); s.Dials != 2 || s.Idle != 0 {
		t.Errorf("%+v: a connection with deadlines in the past went back to the pool", s)
	}
}
