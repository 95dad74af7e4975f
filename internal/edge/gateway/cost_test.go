package gateway

import (
	"net/http"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

// mostAllocations is what the gateway may allocate for a request that nobody
// compresses or rewrites: the request with its context (two), the values of our
// own header fields (one), and a request id (one).
const mostAllocations = 4

// still is a server and a visitor that cost nothing.
type still struct{ header http.Header }

func (s still) Handler(*config.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Content-Length"], h["Content-Type"] = length2, textPlain
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(ok)
	})
}

func (s still) Header() http.Header         { return s.header }
func (s still) Write(p []byte) (int, error) { return len(p), nil }
func (s still) WriteHeader(int)             {}

var (
	ok        = []byte("ok")
	length2   = []string{"2"}
	textPlain = []string{"text/plain"}
	anything  = []string{"*/*"}
)

// again prepares a request as net/http would deliver it, in place.
func (s still) again(r *http.Request) {
	clear(s.header)
	clear(r.Header)
	r.Header["User-Agent"], r.Header["Accept"], r.Header["Accept-Encoding"] = anything, anything, anything
	r.Host, r.URL.RawPath = "shop.test", ""
}

func quiet(tb testing.TB) (*Gateway, still, *http.Request) {
	g, s := New(Options{}), still{make(http.Header)}
	rt, err := g.Prepare(load(tb, plain), s, nil)
	if err != nil {
		tb.Fatal(err)
	}
	g.Use(rt)
	return g, s, request("GET", "/a/b?x=1")
}

func TestGateway_Allocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	g, s, r := quiet(t)
	got := testing.AllocsPerRun(1000, func() {
		s.again(r)
		g.ServeHTTP(s, r)
	})
	if got > mostAllocations {
		t.Errorf("%.1f allocations per request, want at most %d", got, mostAllocations)
	}
}

func BenchmarkGateway(b *testing.B) {
	g, s, r := quiet(b)
	b.ReportAllocs()
	for b.Loop() {
		s.again(r)
		g.ServeHTTP(s, r)
	}
}
