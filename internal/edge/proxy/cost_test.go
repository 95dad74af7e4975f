package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
	"github.com/evergate/evergate/internal/exchange"
)

var hello = []byte("hello")

// instant is a transport that has its answer ready.
type instant struct{ upstream.Transport }

func (instant) RoundTrip(_ context.Context, q *upstream.Request) (*upstream.Response, error) {
	if q.Body != nil {
		if _, err := io.Copy(io.Discard, q.Body); err != nil {
			return nil, &upstream.Error{Class: exchange.PartlySent, Outcome: exchange.Canceled, Err: err}
		}
	}
	return upstream.NewResponse(upstream.Response{
		Status: 200, ContentLength: 5, Body: bytes.NewReader(hello), Trailer: func() []upstream.Field { return nil },
		Fields: []upstream.Field{{Name: "Content-Type", Value: "text/plain"}, {Name: "Content-Length", Value: "5"}, {Name: "Date", Value: "x"}},
	}, func() error { return nil }), nil
}
func (instant) Stats() upstream.Stats       { return upstream.Stats{} }
func (instant) Probe(context.Context) error { return nil }
func (instant) Close()                      {}

// nobody is a visitor whose side costs nothing.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n *nobody) WriteHeader(int)             {}
func (n *nobody) FlushError() error           { return nil }

// bare is a proxy without a network.
func bare(tb testing.TB) http.Handler {
	tb.Helper()
	reg := prometheus.NewRegistry()
	m, err := NewMetrics(reg)
	if err != nil {
		tb.Fatal(err)
	}
	om, err := origin.NewMetrics(reg)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	cfg := setup{servers: []string{"127.0.0.1:1", "127.0.0.1:2"}, equal: true}.config(tb, dir)
	p, err := New(cfg, Options{Fail: fail, Metrics: m, OriginMetrics: om, Transport: func(origin.TransportSpec) (upstream.Transport, error) {
		return instant{}, nil
	}}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	p.Start()
	tb.Cleanup(func() { p.Retire(); p.Close() })
	return p.Handler(cfg.Sites[0].Routes[0])
}

// exchangeOnce is one request through h, with what the gateway does for it.
type exchangeOnce struct {
	h    http.Handler
	r    *http.Request
	w    nobody
	body *strings.Reader
	text string
}

func newExchangeOnce(h http.Handler, method, body string) *exchangeOnce {
	e := &exchangeOnce{h: h, body: strings.NewReader(body), text: body, w: nobody{make(http.Header)}}
	e.r = httptest.NewRequest(method, "/path?q=1", http.NoBody)
	e.r = e.r.WithContext(exchange.NewContext(e.r.Context(), exchange.Get()))
	if body != "" {
		e.r.Body, e.r.ContentLength = io.NopCloser(e.body), int64(len(body))
	}
	return e
}

func (e *exchangeOnce) serve() {
	x := exchange.From(e.r.Context())
	*x = exchange.Exchange{Attempts: x.Attempts[:0], Start: time.Now()}
	clear(e.w.header)
	e.body.Reset(e.text)
	e.h.ServeHTTP(&e.w, e.r)
}

func TestProxy_AllocatesLittlePerRequest(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes pools forget")
	}
	// What is left: the fake transport's response with its fields and body (3), the
	// target put together of path and query, the visit with its lease, and the
	// values of the response's fields. These figures only go down.
	tests := []struct {
		name, method, body string
		most               float64
	}{
		{"GET", "GET", "", 6},
		{"POST", "POST", "a letter", 7}, // and the reader of the body
	}
	h := bare(t)
	for _, tt := range tests {
		e := newExchangeOnce(h, tt.method, tt.body)
		for range 100 {
			e.serve()
		}
		if got := testing.AllocsPerRun(1000, e.serve); got > tt.most {
			t.Errorf("%s: %v allocations, pinned at %v", tt.name, got, tt.most)
		} else {
			t.Logf("%s: %v allocations", tt.name, got)
		}
	}
}

func BenchmarkProxy(b *testing.B) {
	h := bare(b)
	for _, tt := range []struct{ method, body string }{{"GET", ""}, {"POST", strings.Repeat("x", 1024)}} {
		b.Run(tt.method+" without a network", func(b *testing.B) {
			e := newExchangeOnce(h, tt.method, tt.body)
			b.ReportAllocs()
			for b.Loop() {
				e.serve()
			}
		})
	}
	b.Run("GET over loopback", func(b *testing.B) {
		server := upstreamtest.Serve(b, upstreamtest.Echo)
		d := open(b, setup{servers: []string{server.Address}})
		d.records = make(chan record, 1) // nobody reads them
		b.ReportAllocs()
		for b.Loop() {
			resp, err := d.client.Get("http://" + d.addr + "/")
			if err != nil {
				b.Fatal(err)
			}
			read(resp)
			<-d.records
		}
	})
}
