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
)

// generation is everything that is built from one version of the configuration.
type generation struct {
	cfg    *config.Config
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
	g.proxy, err = proxy.New(cfg, proxy.Options{
		Transport: dial.Transport, Fail: s.gateway.Refuse,
		Metrics: s.proxyMetrics, OriginMetrics: s.originMetrics, Logger: s.log, Secret: s.stickySecret,
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
	if g.runtime, err = s.gateway.Prepare(cfg, g.proxy, observers...); err != nil {
		return nil, err
	}
	return g, nil
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
	s.certs.Use(g.certs)
	g.proxy.Start()
	s.gateway.Use(g.runtime)
	s.current.Store(g)
	s.logging.apply(g.cfg)
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
