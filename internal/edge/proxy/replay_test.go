package proxy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

// noise is n bytes that do not repeat.
func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

// sums is a server that notes the length and sum of each body that it got whole.
func sums(tb testing.TB, a act) (b *backend, sum func() []string) {
	b = serve(tb, a)
	return b, func() []string {
		var list []string
		for _, r := range b.requests() {
			list = append(list, sumOf([]byte(r.Content)))
		}
		return list
	}
}

func sumOf(b []byte) string { return fmt.Sprintf("%d %x", len(b), sha256.Sum256(b)) }

// breaksAfter is a server that reads n bytes of the body (about: some come with
// the head) and resets.
func breaksAfter(tb testing.TB, n int) string {
	return upstreamtest.Serve(tb, func(c *upstreamtest.Conn) {
		if c.Head() == "" {
			return
		}
		_, _ = io.CopyN(io.Discard, c.Conn, int64(n))
		c.Reset()
	}).Address
}

// unknown hides the length of a body.
type unknown struct{ io.Reader }

func TestProxy_ABodyIsSentWholeToTheNextServer(t *testing.T) {
	tests := []struct {
		name   string
		size   int
		origin string
		top    string
	}{
		{"from memory", 10 << 10, "", ""},
		{"from just the memory", 64 << 10, "", ""},
		{"from memory and disk", 64<<10 + 1, "", ""},
		{"from disk, large", 3 << 20, "", ""},
		{"from disk alone, as a request may use no memory", 100 << 10, "replay: {memory: 0}", ""},
		{"from disk alone, as the memory of all is used up", 100 << 10, "", "replay: {global_memory: 0}"},
		{"of just route_max", 1 << 20, "replay: {route_max: 1MiB}", ""},
	}
	for _, tt := range tests {
		for _, known := range []bool{true, false} {
			for _, how := range []string{"declined", "broken at the beginning", "broken in the middle", "reset when all was sent"} {
				t.Run(fmt.Sprint(tt.name, ", length known ", known, ", ", how), func(t *testing.T) {
					var first string
					switch how {
					case "declined":
						first = serve(t, answers(503, "busy", "Retry-After: 0")).Address
					case "broken at the beginning":
						first = breaksAfter(t, 1)
					case "broken in the middle":
						first = breaksAfter(t, tt.size/2)
					default:
						first = serve(t, resets).Address
					}
					good, got := sums(t, ok("good"))
					retry := "retry: {idempotent: true"
					if tt.origin != "" {
						retry += ", " + tt.origin
					}
					d := open(t, setup{servers: []string{first, good.Address}, origin: retry + "}", top: tt.top})
					body := noise(tt.size)
					var reader io.Reader = bytes.NewReader(body)
					if !known {
						reader = unknown{reader}
					}
					r, x := d.visit(d.request("PUT", reader))
					if r.content != "good" || len(x.Attempts) != 2 {
						t.Fatalf("%d %q, %s, denied %q", r.StatusCode, r.content, x.words(), x.RetryDenied)
					}
					if s := got(); len(s) != 1 || s[0] != sumOf(body) {
						t.Errorf("the good server got %v, want %s", s, sumOf(body))
					}
					if n := d.metric("evergate_replay_overflow_total"); n != 0 {
						t.Errorf("%v bodies could not be kept", n)
					}
				})
			}
		}
	}
}

func TestProxy_ABodyThatCannotBeKeptStreamsOnAndIsNotRetried(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gone")
	tests := []struct {
		name, origin, top string
		size              int
		spoil             func(d *door)
		why               string
	}{
		{"longer than route_max", "retry: {replay: {route_max: 1MiB}}", "", 2 << 20, nil, "route_max"},
		{"longer than the default of 16 MiB", "", "", 17 << 20, nil, "route_max"},
		{"the disk quota is used up", "", "replay: {disk_quota: 1KiB}", 1 << 20, nil, "disk_quota"},
		{"no memory and no disk", "", "replay: {global_memory: 0, disk_quota: 0}", 10 << 10, nil, "disk_quota"},
		{"the folder is gone", "", fmt.Sprintf("replay: {spill_dir: %q}", file), 1 << 20, func(*door) {
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
		}, "disk_error"},
	}
	for _, tt := range tests {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprint(tt.name, ", length known ", known), func(t *testing.T) {
				first, got := sums(t, answers(503, "busy", "Retry-After: 0"))
				second := serve(t, ok("good"))
				d := open(t, setup{servers: []string{first.Address, second.Address}, origin: tt.origin, top: tt.top})
				if tt.spoil != nil {
					tt.spoil(d)
				}
				body := noise(tt.size)
				var reader io.Reader = bytes.NewReader(body)
				if !known {
					reader = unknown{reader}
				}
				r, x := d.visit(d.request("PUT", reader))
				if r.StatusCode != 503 || r.content != "busy" || x.RetryDenied != whyNotReplayable || len(second.requests()) != 0 {
					t.Errorf("%d %q, denied %q, %s; want the first server's answer, and no retry", r.StatusCode, r.content, x.RetryDenied, x.words())
				}
				if s := got(); len(s) != 1 || s[0] != sumOf(body) {
					t.Errorf("the server got %v, want %s", s, sumOf(body))
				}
				if n := d.metric("evergate_replay_overflow_total", "why", tt.why); n != 1 {
					t.Errorf("%v overflows for %s, want 1", n, tt.why)
				}
				if tt.why == "disk_error" && d.metric("evergate_replay_disk_errors_total") == 0 {
					t.Error("the disk error is not counted")
				}
				// What was never sent can be sent to another one whatever its size.
				bad := refused(t)
				d2 := open(t, setup{servers: []string{bad, second.Address}, origin: tt.origin, top: tt.top})
				if tt.spoil != nil {
					tt.spoil(d2)
				}
				if r, x := d2.visit(d2.request("POST", bytes.NewReader(body))); r.content != "good" {
					t.Errorf("after a refused connection: %d, %s, denied %q", r.StatusCode, x.words(), x.RetryDenied)
				}
				d2.close()
			})
		}
	}
}

func TestProxy_ABodyOf16MiBIsReplayed(t *testing.T) {
	first, good := serve(t, answers(503, "busy", "Retry-After: 0")), serve(t, ok("good"))
	d := open(t, setup{servers: []string{first.Address, good.Address}})
	body := noise(16 << 20)
	r, x := d.visit(d.request("POST", bytes.NewReader(body)))
	if r.content != "good" || sumOf([]byte(good.requests()[0].Content)) != sumOf(body) {
		t.Errorf("%d, %s, denied %q", r.StatusCode, x.words(), x.RetryDenied)
	}
}

func TestProxy_BufferRequestReadsTheWholeBodyBeforeAServerIsAsked(t *testing.T) {
	for _, size := range []int{0, 1, 100, 300 << 10} {
		good := serve(t, ok("good"))
		d := open(t, setup{servers: []string{good.Address}, route: "buffer_request: true"})
		body := noise(size)
		pr, pw := io.Pipe()
		go func() {
			if size > 0 {
				_, _ = pw.Write(body[:size/2])
			}
			// A proxy that does not wait would have connected long before.
			<-time.After(20 * time.Millisecond)
			if n := good.Accepted.Load(); n != 0 {
				t.Errorf("%d connections before the body was there", n)
			}
			_, _ = pw.Write(body[size/2:])
			_ = pw.Close()
		}()
		r, x := d.visit(d.request("POST", pr))
		if r.content != "good" || len(good.requests()) != 1 {
			t.Fatalf("%d bytes: %d, %s", size, r.StatusCode, x.words())
		}
		q := good.requests()[0]
		if q.Content != string(body) || q.ContentLength != int64(size) {
			t.Errorf("got %d bytes, announced %d; want %d: the length is known now", len(q.Content), q.ContentLength, size)
		}
		d.close()
	}
}

func TestProxy_ARequestsTrailersReachTheServerAgain(t *testing.T) {
	first, good := serve(t, answers(503, "", "Retry-After: 0")), serve(t, ok("good"))
	d := open(t, setup{servers: []string{first.Address, good.Address}})
	r := d.request("POST", unknown{bytes.NewReader([]byte("content"))})
	r.Trailer = http.Header{"X-Sum": {"42"}}
	if got, x := d.visit(r); got.content != "good" {
		t.Fatalf("%d, %s", got.StatusCode, x.words())
	}
	for i, b := range []*backend{first, good} {
		if q := b.requests()[0]; q.Trailer.Get("X-Sum") != "42" || q.Content != "content" {
			t.Errorf("attempt %d: trailer %v, body %q", i+1, q.Trailer, q.Content)
		}
	}
}

func TestNew_AFolderThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, setup{servers: []string{refused(t)}})
	s := d.setup
	s.top = fmt.Sprintf("replay: {spill_dir: %q}", filepath.Join(file, "spill"))
	if p, err := New(s.config(t, d.dir), d.options, d.proxy); err == nil {
		t.Errorf("no error, and a proxy %v", p)
	} else if errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
