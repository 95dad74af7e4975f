package server

import (
	"reflect"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway"
	"github.com/evergate/evergate/internal/edge/gateway/accesslog"
	"github.com/evergate/evergate/internal/edge/gateway/certs"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/edge/proxy/dial"
	"github.com/evergate/evergate/internal/keyring"
	"github.com/evergate/evergate/internal/server/levers"
)

// generation is everything that is built from one version of the configuration,
// with the levers as they stood laid over it.
type generation struct {
	cfg    *config.Config // as the file has it, without levers
	loaded time.Time

	certs   *certs.Prepared
	proxy   *proxy.Proxy
	access  *accesslog.Log // nil: off
	runtime *gateway.Runtime

	ownAccess bool // access was opened for this generation, not taken over
}

// generate builds what cfg asks for, beside what is in use (old, nil at first).
// Nothing of it serves yet; either use or discard follows.
func (s *Server) generate(cfg *config.Config, old *generation) (_ *generation, err error) {
	g := &generation{cfg: cfg, loaded: time.Now()}
	turned := levers.Overlay(cfg, s.settings.All())
	defer func() { // err is the result
		if err != nil {
			g.discard()
		}
	}()
	if g.certs, err = s.certs.Prepare(cfg); err != nil {
		return nil, err
	}
	var before *proxy.Proxy
	if old != nil {
		before = old.proxy
	}
	g.proxy, err = proxy.New(turned, proxy.Options{
		Transport: dial.Transport, Fail: s.gateway.Refuse,
		Metrics: s.proxyMetrics, OriginMetrics: s.originMetrics, Logger: s.log,
		OnChange: s.serverChanged, Secrets: secrets(s.keys.All(keyring.Sticky)),
	}, before)
	if err != nil {
		return nil, err
	}
	if err := s.openAccessLog(g, old); err != nil {
		return nil, err
	}
	var observers []gateway.Observer
	if g.access != nil {
		observers = append(observers, g.access)
	}
	endpoints, err := s.endpoints(cfg)
	if err != nil {
		return nil, err
	}
	if g.runtime, err = s.gateway.Prepare(turned, g.proxy, endpoints, observers...); err != nil {
		return nil, err
	}
	return g, nil
}

// secrets are those of keys, in their order: the first one signs.
func secrets(keys []keyring.Key) [][]byte {
	all := make([][]byte, 0, len(keys))
	for _, k := range keys {
		all = append(all, k.Secret())
	}
	return all
}

// endpoints are the paths of sites that Evergate answers by itself.
func (s *Server) endpoints(cfg *config.Config) ([]gateway.Endpoint, error) {
	if cfg.Chat == nil {
		return nil, nil
	}
	handler, err := s.chat.Handler(cfg.Chat)
	if err != nil {
		return nil, err
	}
	return []gateway.Endpoint{{Site: cfg.Chat.Site, Path: cfg.Chat.Path, Handler: handler}}, nil
}

// target is what levers turn.
func (g *generation) target(log *logging) levers.Target {
	return levers.Target{Origins: g.proxy, Sites: g.runtime, Log: log}
}

// openAccessLog opens the log of g, or opens that of old anew where its settings
// are the same.
func (s *Server) openAccessLog(g, old *generation) (err error) {
	if old != nil && reflect.DeepEqual(old.cfg.Log.Access, g.cfg.Log.Access) {
		g.access = old.access
		return g.access.Reopen()
	}
	g.access, err = accesslog.Open(g.cfg.Log.Access, accesslog.Options{
		Stdout: s.options.Stdout, Logger: s.log, Metrics: s.accessMetrics,
	})
	g.ownAccess = err == nil
	return err
}

// discard ends a generation that was never used.
func (g *generation) discard() {
	if g.certs != nil {
		g.certs.Discard()
	}
	if g.proxy != nil {
		g.proxy.Retire()
	}
	if g.runtime != nil {
		g.runtime.Discard()
	}
	if g.ownAccess {
		g.access.Close()
	}
}

// use puts g in force in place of old (nil at first). Nothing in it can fail.
func (s *Server) use(g, old *generation) {
	s.turning.Lock()
	s.logging.apply(g.cfg)
	// Levers that were turned since it was built; from here on it is turned itself.
	if err := levers.Settle(g.target(s.logging), g.cfg, s.settings.All()); err != nil {
		s.log.Error("some levers could not be turned", "error", err)
	}
	s.certs.Use(g.certs)
	g.proxy.Start()
	s.gateway.Use(g.runtime)
	s.current.Store(g)
	s.turning.Unlock()
	s.metrics.loaded(g.cfg, g.loaded)
	if old == nil {
		return
	}
	old.proxy.Retire()
	if old.access != g.access {
		// Requests that began before write their lines where they belong.
		s.background.Go(func() {
			<-old.runtime.Done()
			old.access.Close()
		})
	}
}
