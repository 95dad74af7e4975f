// Package gateway is what every request meets before a server is asked: it
// begins the exchange, brings host and path to their one normal form, finds site
// and route, and takes the request through the steps of that route. The order of
// the steps stands in pipeline.go. Its invariants are in DESIGN.md.
package gateway

import (
	"cmp"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
	_ "github.com/evergate/evergate/internal/edge/gateway/extended" // before net/http: websockets over HTTP/2
	"github.com/evergate/evergate/internal/exchange"
)

// Backends is what the gateway needs of the proxy.
type Backends interface {
	// Handler returns who answers the requests of a route with an origin. It is
	// called once per route while a Runtime is prepared. The handler finds the
	// exchange in the request's context, and in the request's URL, Host and Header
	// what is for the server. After the first byte of an answer it reports failure
	// by panic(http.ErrAbortHandler) alone.
	Handler(route *config.Route) http.Handler
}

// Observer reads an exchange after its last byte. It must not keep it, and must
// not wait for anything slow: the request's connection waits for it.
type Observer interface{ Observe(x *exchange.Exchange) }

// Options are what a gateway needs beside its configuration. The zero value is usable.
type Options struct {
	Log        *slog.Logger          // nil: slog's default
	Registerer prometheus.Registerer // nil: metrics are counted and not shown
	Clock      clock.Clock
}

// Gateway answers requests by the Runtime in use. It is safe for concurrent use.
type Gateway struct {
	log     *slog.Logger
	clock   clock.Clock
	metrics *metrics
	current atomic.Pointer[Runtime] // nil before the first Use
}

// New returns a gateway without a runtime: it answers 503 until Use.
func New(o Options) *Gateway {
	return &Gateway{log: cmp.Or(o.Log, slog.Default()), clock: o.Clock, metrics: newMetrics(o.Registerer)}
}

// Prepare builds what serves cfg, which must have been validated; nothing changes
// until Use. backends, endpoints (nil: none) and observers must live as long as the
// Runtime. Errors: a page template that cannot be read or used, an endpoint on no
// site or of no path, and what validation should have found.
func (g *Gateway) Prepare(cfg *config.Config, backends Backends, endpoints []Endpoint, observers ...Observer) (*Runtime, error) {
	return newRuntime(g, cfg, backends, endpoints, observers)
}

// Use has requests that come from now on served by rt. It returns the runtime
// before, nil at first, whose Done is closed when its last request has left.
func (g *Gateway) Use(rt *Runtime) (previous *Runtime) {
	if previous = g.current.Swap(rt); previous != nil && previous != rt {
		previous.unpin()
	}
	return previous
}

// pin returns the runtime in use, which then lives until unpin; nil before the
// first Use.
func (g *Gateway) pin() *Runtime {
	for {
		rt := g.current.Load()
		if rt == nil || rt.pin() {
			return rt
		}
		// It was replaced, and left by all, since it was loaded.
	}
}

// ServeHTTP takes r through the pipeline.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.serve(w, r, nil)
}

// Refuse answers r with an error page. reason is a word of a closed list (see
// package pages). It is for those before the gateway, whose refusals become
// exchanges of their own, as for the steps behind it.
func (g *Gateway) Refuse(w http.ResponseWriter, r *http.Request, status int, reason string, retryAfter time.Duration) {
	no := &refusal{status: status, reason: reason, retryAfter: retryAfter}
	if within := responseOf(w); within != nil {
		within.refuse(r, no)
		return
	}
	g.serve(w, r, no)
}
