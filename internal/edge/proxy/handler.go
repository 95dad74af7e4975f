package proxy

import (
	"net/http"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// handler answers the requests of one route. It is immutable.
type handler struct {
	proxy  *Proxy
	origin *namedOrigin
	policy *policy

	name          string // of the route, for metrics
	key           string // of the route, the same over reloads and unique
	bufferRequest bool
	tunnelIdle    time.Duration
	byClient      bool // the balance asks who the visitor is
}

func newHandler(p *Proxy, o *namedOrigin, site *config.Site, r *config.Route) *handler {
	policy := newPolicy(o.cfg, r.Retry)
	if r.Retry == nil || r.Retry.Attempts == nil {
		policy.attempts = &o.attempts
	}
	return &handler{
		proxy: p, origin: o, policy: policy,
		name: r.Name, key: site.Hosts[0] + " " + r.Path + " " + r.Name,
		bufferRequest: r.BufferRequest, tunnelIdle: r.TunnelIdle.D(),
		byClient: o.cfg.Balance.Policy == "hash" && o.cfg.Balance.Key == "client",
	}
}

var calls = sync.Pool{New: func() any { return newCall() }}

// ServeHTTP implements http.Handler. It panics with http.ErrAbortHandler when an
// answer that had begun cannot be completed.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := calls.Get().(*call)
	c.h, c.w, c.r, c.x = h, w, r, exchange.From(r.Context())
	defer c.end()
	c.serve()
}
