package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

const quickRetry = "retry: {try_timeout: 300ms, backoff: {base: 1ms, max: 1ms}}"

// chunked is a 503 with the body in chunks and a trailer.
func chunked(body string) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nX-Own: 1\r\n\r\n")
	for len(body) > 0 {
		n := min(len(body), 1000)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\nX-Sum: 42\r\n\r\n")
	return b.String()
}

func TestProxy_TheLastRealAnswerIsReturnedWhenTheNextAttemptFails(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 40<<10/16) + strings.Repeat("x", 200<<10)
	bodies := map[string]string{"an empty body": "", "a small body": "busy", "a body beyond hold_response": large, "a body of just hold_response": strings.Repeat("y", 64<<10)}
	for name, body := range bodies {
		for _, f := range faults {
			if f.words[0] == '4' {
				continue
			}
			t.Run(name+" before a server that "+f.name, func(t *testing.T) {
				first := serve(t, answers(503, body, "X-Own: 1", "Retry-After: 7"))
				d := open(t, setup{servers: []string{first.Address, f.server(t)}, origin: "retry: {try_timeout: 150ms, attempts: 2}"})
				r, x := d.get()
				if r.StatusCode != 503 || r.content != body || r.err != nil || r.Header.Get("X-Own") != "1" || r.Header.Get("Retry-After") != "7" {
					t.Errorf("%d, %d bytes, %v, %v", r.StatusCode, len(r.content), r.err, r.Header)
				}
				if !strings.HasPrefix(x.words(), "5 status 503 retried, ") || x.RetryDenied != whyAttempts {
					t.Errorf("%s; denied %q", x.words(), x.RetryDenied)
				}
			})
		}
	}
}

func TestProxy_AHeldAnswerInChunksKeepsItsTrailer(t *testing.T) {
	for _, size := range []int{0, 100, 64 << 10, 300 << 10} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			body := strings.Repeat("z", size)
			d := open(t, setup{servers: []string{serve(t, says(chunked(body))).Address, serve(t, resets).Address}, origin: "retry: {attempts: 2}"})
			r, _ := d.get()
			if r.StatusCode != 503 || r.content != body || r.err != nil || r.Trailer.Get("X-Sum") != "42" {
				t.Errorf("%d, %d bytes, %v, trailer %v", r.StatusCode, len(r.content), r.err, r.Trailer)
			}
		})
	}
}

func TestProxy_ANewerRealAnswerReplacesTheOlderOne(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			bad := func(word string, status int) string {
				return serve(t, answers(status, strings.Repeat(word, size), "X-Which: "+word)).Address
			}
			d := open(t, setup{equal: true, servers: []string{bad("a", 502), bad("b", 503)},
				origin: "retry: {attempts: 4, backoff: {base: 1ms, max: 1ms}}, health: {fail_statuses: []}"})
			r, x := d.get()
			last := x.Attempts[3].Status
			want := map[int]string{502: "a", 503: "b"}[last]
			if r.StatusCode != last || r.content != strings.Repeat(want, size) || r.Header.Get("X-Which") != want {
				t.Errorf("%d %q, want that of the last attempt, %d; %s", r.StatusCode, r.Header.Get("X-Which"), last, x.words())
			}
			for _, a := range x.Attempts[:3] {
				if a.Class != 4 {
					t.Errorf("%s: only the last one was forwarded", x.words())
				}
			}
		})
	}
}

func TestProxy_AGoodAnswerReplacesAHeldOne(t *testing.T) {
	first := serve(t, answers(503, strings.Repeat("x", 200<<10)))
	d := open(t, setup{servers: []string{first.Address, serve(t, ok("good")).Address}})
	for range 3 {
		if r, x := d.get(); r.content != "good" || x.words() != "4 status 503 retried, 5 success 200" {
			t.Errorf("%q after %s", r.content, x.words())
		}
	}
}

func TestProxy_AHeldAnswerThatBreaksOffIsCutForTheVisitorToo(t *testing.T) {
	cut := serve(t, says("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf of it"))
	d := open(t, setup{servers: []string{cut.Address, serve(t, resets).Address}, origin: "retry: {attempts: 2}"})
	resp, err := d.client.Do(d.request("GET", nil))
	if err == nil {
		wantCut(t, read(resp))
	}
	if x := d.next(); x.Abort != abortCut || x.panicked != http.ErrAbortHandler { //nolint:errorlint // the very value
		t.Errorf("abort %q, panic %v", x.Abort, x.panicked)
	}
}

func TestProxy_AHeldAnswerDoesNotOccupyTheOnlySlot(t *testing.T) {
	for name, size := range map[string]int{"read whole": 10, "read in part": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, answers(503, strings.Repeat("x", size)), ok("good"))
			d := open(t, setup{servers: []string{server.Address}, origin: "max_in_flight: {server: 1}, queue: {timeout: 3s}, " + quickRetry})
			began := time.Now()
			r, x := d.get()
			if r.content != "good" || time.Since(began) > 2*time.Second {
				t.Errorf("%d after %s, denied %q, %s", r.StatusCode, time.Since(began), x.RetryDenied, x.words())
			}
		})
	}
}

func TestProxy_AVisitorWhoLeavesWhileAnAnswerIsHeldFreesIt(t *testing.T) {
	reached := make(chan struct{}, 1)
	slow := serve(t, func(c *upstreamtest.Conn, r *upstreamtest.Received) bool {
		reached <- struct{}{}
		return hangs(c, r)
	})
	d := open(t, setup{servers: []string{serve(t, answers(503, strings.Repeat("x", 300<<10))).Address, slow.Address}})
	ctx, leave := withCancel(t)
	go func() { <-reached; leave() }()
	if _, err := d.client.Do(d.request("GET", nil).WithContext(ctx)); err == nil {
		t.Error("an answer came")
	}
	if x := d.next(); x.Status != 499 || x.Abort != abortVisitor || x.words() != "4 status 503 retried, 3 canceled" {
		t.Errorf("status %d, abort %q, %s", x.Status, x.Abort, x.words())
	}
}

func TestProxy_HoldBody(t *testing.T) {
	cut := "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
	cutChunks := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
	tests := []struct {
		name, first, hold, method string
		want                      string // the answer's body; "" is a cut one
		words                     string
	}{
		{"a small answer cut short is retried", cut, "64KiB", "GET", "good", "3 bad_response retried, 5 success 200"},
		{"an answer of just the limit is held", cut, "1000", "GET", "good", "3 bad_response retried, 5 success 200"},
		{"an answer over the limit is not held, and cut", cut, "999", "GET", "", "5 bad_response 200"},
		{"nothing is held by default", cut, "0", "GET", "", "5 bad_response 200"},
		{"an answer of unknown length is not held", cutChunks, "64KiB", "GET", "", "5 bad_response 200"},
		{"a plain POST was applied, cut or not", cut, "64KiB", "POST", "502", "3 bad_response"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			good := serve(t, ok("good"))
			d := open(t, setup{servers: []string{serve(t, says(tt.first)).Address, good.Address}, origin: "retry: {hold_body: " + tt.hold + "}"})
			resp, err := d.client.Do(d.request(tt.method, nil))
			x := d.next()
			if x.words() != tt.words {
				t.Errorf("attempts %q, want %q", x.words(), tt.words)
			}
			switch {
			case tt.want == "":
				if err == nil {
					wantCut(t, read(resp))
				}
				if x.Abort != abortCut {
					t.Errorf("abort %q", x.Abort)
				}
			case err != nil:
				t.Fatal(err)
			case tt.want == "502":
				if r := read(resp); r.StatusCode != 502 || r.Header.Get("Evergate-Reason") != "bad_response" {
					t.Errorf("%d %q", r.StatusCode, r.content)
				}
			default:
				if r := read(resp); r.content != tt.want {
					t.Errorf("%d %q", r.StatusCode, r.content)
				}
			}
		})
	}
}

func TestProxy_AHeldBodyArrivesWhole(t *testing.T) {
	for _, size := range []int{1, 4 << 10, 64 << 10, 64<<10 + 1, 1 << 20} {
		body := strings.Repeat("a", size-1) + "z"
		d := open(t, setup{servers: []string{serve(t, ok(body)).Address}, origin: "retry: {hold_body: 1MiB}"})
		for range 2 { // the second is in used memory
			if r, x := d.get(); r.content != body || r.ContentLength != int64(size) || x.words() != "5 success 200" {
				t.Errorf("%d of %d bytes, %s", len(r.content), size, x.words())
			}
		}
		d.close()
	}
}

func TestProxy_AHeldBodyThatTakesTooLongIsATimeout(t *testing.T) {
	slow := serve(t, func(c *upstreamtest.Conn, r *upstreamtest.Received) bool {
		c.Say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		return hangs(c, r)
	})
	d := open(t, setup{servers: []string{slow.Address}, origin: "retry: {hold_body: 1KiB, timeout: 500ms, min_try: 100ms}"})
	r, x := d.get()
	if r.StatusCode != 504 || x.words() != "3 timeout" || x.RetryDenied != whyDeadline {
		t.Errorf("%d, %s, denied %q", r.StatusCode, x.words(), x.RetryDenied)
	}
}
