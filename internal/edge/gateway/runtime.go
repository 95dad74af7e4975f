package gateway

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/forwarded"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// Runtime is what serves one configuration. It is immutable but for the levers of
// its sites and the count of its users: itself while it is in use, and every request from its first step to
// its last observer.
type Runtime struct {
	gateway   *Gateway
	cfg       *config.Config
	trust     forwarded.Trust
	hosts     route.Hosts[host]
	sites     []*site
	nowhere   *place // of requests for which no site was found
	observers []Observer
	entry     http.Handler // the steps before a route is known

	publicHTTPS  string // port of https as visitors write it, with ":"; "" for 443
	servesHTTPS  bool
	servesPort80 bool

	users atomic.Int64
	done  chan struct{}
}

func newRuntime(g *Gateway, cfg *config.Config, backends Backends, ours []Endpoint, observers []Observer) (*Runtime, error) {
	rt := &Runtime{
		gateway: g, cfg: cfg, trust: forwarded.NewTrust(cfg.TrustedProxies), observers: observers, done: make(chan struct{}),
	}
	rt.users.Store(1)
	rt.learnPorts()
	templates := make(templates)
	set, err := templates.get(cfg.Pages.Template)
	if err != nil {
		return nil, err
	}
	rt.nowhere = &place{pages: set, counters: g.metrics.of("", "")}
	for i, s := range cfg.Sites {
		if err := rt.addSite(s, backends, ours, templates); err != nil {
			rt.release()
			return nil, fmt.Errorf("sites[%d]: %w", i, err)
		}
	}
	if err := rt.checkEndpoints(ours); err != nil {
		rt.release()
		return nil, err
	}
	rt.entry = rt.beforeRoute()
	return rt, nil
}

// find returns where a request belongs. moved is set for a host of redirect_from.
// A place without route has the methods that would have found one, if any.
func (rt *Runtime) find(name, subject, method string, h http.Header) (p *place, moved bool, allowed []string) {
	at, ok := rt.hosts.Find(name)
	switch {
	case !ok:
		return rt.nowhere, false, nil
	case at.moved:
		return at.site.nowhere, true, nil
	}
	if at.site.ours != nil {
		if p := at.site.ours.find(subject, h); p != nil {
			return p, false, nil
		}
	}
	if i := at.site.paths.Find(subject, method, h); i != route.None {
		return at.site.routes[i], false, nil
	}
	return at.site.nowhere, false, at.site.paths.Allowed(subject, h)
}

// pin counts a user, unless there is none left.
func (rt *Runtime) pin() bool {
	for n := rt.users.Load(); n > 0; n = rt.users.Load() {
		if rt.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// unpin is called once by each user; the last one closes done.
func (rt *Runtime) unpin() {
	if rt.users.Add(-1) == 0 {
		rt.release()
		close(rt.done)
	}
}

// Discard gives up a runtime that was never used.
func (rt *Runtime) Discard() { rt.unpin() }

// release gives back what rt has of the gateway's metrics.
func (rt *Runtime) release() {
	rt.nowhere.counters.release()
	for _, s := range rt.sites {
		s.nowhere.counters.release()
		for _, p := range s.routes {
			p.counters.release()
		}
		if s.ours != nil {
			for _, p := range s.ours.places {
				p.counters.release()
			}
		}
	}
}

// Done is closed when rt has been replaced and its last request has left.
func (rt *Runtime) Done() <-chan struct{} { return rt.done }
