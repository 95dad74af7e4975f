// Package proxy answers requests by asking servers, and asks again where that
// may help and cannot harm: retries are decided by what was sent, never by the
// text of an error (guide, section 3). decide.go holds the table, call.go the
// way of one request, attempt.go that of one attempt. DESIGN.md says why.
package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// Options are what a proxy needs beside its configuration.
type Options struct {
	// Transport builds the transport to one server. Required.
	Transport func(origin.TransportSpec) (upstream.Transport, error)
	// Fail answers requests that no server answered. Required.
	Fail Fail
	// Metrics and OriginMetrics count; required, as one serves all generations.
	Metrics       *Metrics
	OriginMetrics *origin.Metrics
	// Logger hears of servers' states and of trouble with the disk. nil: nobody.
	Logger *slog.Logger
	// OnChange is told of every change of a server's state, without locks held,
	// possibly from several goroutines at once. It must be the same over reloads.
	// nil: nobody is.
	OnChange func(origin.Change)
	// Secrets keep the names of servers in sticky cookies secret: the first one signs,
	// the cookies of all are understood. A later Proxy may have others.
	Secrets [][]byte
	// Clock tells the time. Timers are real ones.
	Clock clock.Clock
}

// Proxy is one configuration's origins with the handlers of its routes. Its
// life: New, Start once nothing can fail any more, Retire. What outlives a
// configuration (servers' states, queues, budgets, kept bodies, tunnels) goes
// from one to the next. Safe for concurrent use after Start.
type Proxy struct {
	options  Options
	cfg      *config.Config
	shared   *shared
	spill    string
	origins  map[string]*namedOrigin
	handlers map[*config.Route]*handler
	routes   map[string]*handler // by key, which is the same over reloads

	mu      sync.Mutex // guards the field below, and allowance of the origins
	inForce bool       // from Start to Retire
}

// namedOrigin is an origin with what the proxy keeps for it; budget and counters
// live over reloads.
type namedOrigin struct {
	name      string
	cfg       *config.Origin
	servers   *origin.Origin
	attempts  atomic.Int32  // of a request; a lever
	allowance config.Budget // with its lever; what the budget gets while this is in force
	budget    *budget
	counters  *counters
}

func (o *namedOrigin) snapshot() origin.Snapshot { return o.servers.Snapshot() }

// New builds what cfg asks for, without a connection; nothing changes for
// previous, the Proxy in use (nil at first), until Start. One that is not
// started must be retired all the same. Errors name the origin and what is wrong.
func New(cfg *config.Config, o Options, previous *Proxy) (*Proxy, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{
		options: o, cfg: cfg, origins: make(map[string]*namedOrigin, len(cfg.Origins)),
		handlers: make(map[*config.Route]*handler), routes: make(map[string]*handler),
	}
	if previous != nil {
		p.shared = previous.shared
	} else {
		p.shared = newShared()
	}
	p.spill = cfg.Replay.SpillDir
	if p.spill == "" {
		p.spill = filepath.Join(cfg.Node.DataDir, "spill")
	}
	if err := p.shared.open(p.spill, cfg.Replay, o); err != nil {
		return nil, err
	}
	for name, c := range cfg.Origins {
		n, err := p.origin(name, c, previous)
		if err != nil {
			p.Retire()
			return nil, err
		}
		p.origins[name] = n
	}
	for _, site := range cfg.Sites {
		for _, r := range site.Routes {
			if on := p.origins[r.Origin]; on != nil {
				h := newHandler(p, on, site, r)
				p.handlers[r], p.routes[h.key] = h, h
			}
		}
	}
	return p, nil
}

func (p *Proxy) origin(name string, cfg *config.Origin, previous *Proxy) (*namedOrigin, error) {
	servers, err := origin.New(name, cfg, origin.Options{
		NewTransport: p.options.Transport, Logger: p.options.Logger, Metrics: p.options.OriginMetrics,
		Clock: p.options.Clock, Secrets: p.options.Secrets, OnChange: p.options.OnChange,
	})
	if err != nil {
		return nil, err
	}
	n := &namedOrigin{name: name, cfg: cfg, servers: servers, allowance: cfg.Retry.Budget}
	n.attempts.Store(int32(max(cfg.Retry.Attempts, 1)))
	if previous != nil {
		if was := previous.origins[name]; was != nil {
			servers.Reuse(was.servers)
			n.budget, n.counters = was.budget, was.counters
			return n, nil
		}
	}
	n.budget, n.counters = new(budget), newCounters(p.options.Metrics, name)
	return n, nil
}

// Handler returns who answers the requests of route, which must be one of cfg's
// with an origin.
func (p *Proxy) Handler(route *config.Route) http.Handler {
	h := p.handlers[route]
	if h == nil {
		panic(fmt.Sprintf("proxy: route %s has no origin here", route.Name))
	}
	return h
}

// Start puts p in force in place of the Proxy that New was given. Tunnels whose
// route or server is gone are ended in the background, within drain.timeout.
func (p *Proxy) Start() {
	p.shared.use(p.spill, p.cfg.Replay)
	p.useBudgets(true)
	for _, o := range p.origins {
		o.servers.Start()
	}
	p.options.Metrics.use(p)
	known := make(map[string]map[string]bool, len(p.origins))
	for name, o := range p.origins {
		counted, configured := make(map[string]bool), make(map[string]bool)
		for _, s := range o.snapshot().Servers {
			counted[s.Name], configured[s.Name] = true, !s.Leaving
		}
		o.counters.forget(counted)
		known[name] = configured
	}
	p.shared.endTunnels(p.cfg.Drain.Timeout.D(), func(t *tunnel) bool {
		h := p.routes[t.route]
		return h == nil || h.origin.name != t.origin || !known[t.origin][t.server]
	})
}

// Retire ends what of p has not gone to a later Proxy. Requests under way still
// find everything as it was.
func (p *Proxy) Retire() {
	p.useBudgets(false)
	for _, o := range p.origins {
		o.servers.Retire()
	}
}

// DrainTunnels ends all tunnels: each gets a goodbye at a moment of its own and
// is cut a little later; so does one that opens later. It returns when none is left,
// at the end of ctx at the latest.
func (p *Proxy) DrainTunnels(ctx context.Context) {
	p.shared.tunnels.refuse(func(*tunnel) bool { return true })
	p.shared.tunnels.drain(ctx, nil)
}

// Close waits for what Start left in the background. No request may be under way.
func (p *Proxy) Close() { p.shared.close() }

// Snapshots is each origin as it is now, in no particular order.
func (p *Proxy) Snapshots() []origin.Snapshot {
	all := make([]origin.Snapshot, 0, len(p.origins))
	for _, o := range p.origins {
		all = append(all, o.snapshot())
	}
	return all
}
