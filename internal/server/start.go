package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/evergate/evergate/internal/edge/gateway"
	"github.com/evergate/evergate/internal/edge/gateway/accesslog"
	"github.com/evergate/evergate/internal/edge/gateway/certs"
	"github.com/evergate/evergate/internal/edge/gateway/front"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/server/control"
	"github.com/evergate/evergate/internal/server/datadir"
)

// closeWithin bounds what stop waits for of each part that others may hold up.
const closeWithin = 5 * time.Second

// build makes every part. Each leaves behind how it ends.
func (s *Server) build() (err error) {
	s.log, s.logging = newLogging(s.options.Log)
	cfg, warnings, err := Load(s.path)
	if err != nil {
		return err
	}
	s.logging.apply(cfg)
	for _, warning := range warnings {
		s.log.Warn("configuration", "warning", warning)
	}
	s.metrics = newMetrics()

	// The data folder, which is ours alone.
	if s.dir, err = datadir.Open(cfg.Node.DataDir); err != nil {
		return err
	}
	s.atStop(func() { s.closed("data_dir", s.dir.Close()) })
	if s.stickySecret, err = readSticky(s.dir.Join("sticky.key")); err != nil {
		return err
	}

	// What outlives a configuration.
	s.accessMetrics = accesslog.NewMetrics(s.metrics.registry)
	if s.proxyMetrics, err = proxy.NewMetrics(s.metrics.registry); err != nil {
		return err
	}
	if s.originMetrics, err = origin.NewMetrics(s.metrics.registry); err != nil {
		return err
	}
	s.certs = certs.New(certs.Options{Dir: s.dir.Join("certs"), Log: s.log, Registerer: s.metrics.registry})
	s.atStop(s.certs.Close)
	s.gateway = gateway.New(gateway.Options{Log: s.log, Registerer: s.metrics.registry})

	// The first configuration.
	first, err := s.generate(cfg, nil)
	if err != nil {
		return err
	}
	s.use(first, nil)
	s.atStop(s.retireLast)

	// Where visitors and operators arrive.
	s.front = front.New(front.Options{
		Handler: s.gateway, Certificates: s.certs, Refuse: s.gateway.Refuse, Log: s.log, Registerer: s.metrics.registry,
	})
	s.atStop(func() { s.closed("front", s.front.Close()) })
	s.admin = newAdmin(s.metrics.registry, s.ready, s.log)
	return nil
}

// retireLast ends the generation in use, whose requests have ended.
func (s *Server) retireLast() {
	last := s.current.Load()
	last.proxy.Retire()
	last.proxy.Close()
	done := make(chan struct{})
	go func() { s.background.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(closeWithin):
		s.log.Warn("some requests of an earlier configuration did not end")
	}
	last.access.Close()
}

// closed logs an error of ending a part; there is nobody left to return it to.
func (s *Server) closed(part string, err error) {
	if err != nil {
		s.log.Warn("close "+part, "error", err)
	}
}

// start opens the listeners.
func (s *Server) start() error {
	if s.options.Signals {
		s.atStop(s.takeSignals())
	}
	cfg := s.current.Load().cfg
	socket, err := control.Listen(s.dir.Join(control.SocketName))
	if err != nil {
		return err
	}
	operators := control.Serve(socket, s, s.log)
	s.atStop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		s.closed("admin socket", operators.Close(ctx))
	})
	opened, err := s.admin.prepare(cfg)
	if err != nil {
		return err
	}
	if err := s.front.Apply(cfg); err != nil {
		opened.drop()
		return explained(err)
	}
	s.admin.use(opened)
	s.atStop(func() { s.admin.close(context.Background()) })

	s.phase.Store(int32(serving))
	s.metrics.ready.Set(1)
	s.told(s.notify.Ready("serving"))
	var a Addresses
	a.HTTP, a.HTTPS = s.front.Addresses()
	a.Admin = s.admin.address()
	build := ThisBuild()
	s.log.Info("serving", "http", a.HTTP, "https", a.HTTPS, "http3", cfg.Listen.HTTP3, "admin", a.Admin, "config", s.path,
		"sites", len(cfg.Sites), "origins", len(cfg.Origins), "version", build.Version)
	if s.options.Ready != nil {
		s.options.Ready(a)
	}
	return nil
}

// told logs that the service manager could not be told.
func (s *Server) told(err error) {
	if err != nil {
		s.log.Warn("tell systemd", slog.Any("error", err))
	}
}

// ready reports whether traffic is welcome, and a word why.
func (s *Server) ready() (bool, string) {
	switch phase(s.phase.Load()) {
	case serving:
		return true, "ready"
	case draining:
		return false, "draining"
	}
	return false, "starting"
}

// reopenLogs is what SIGUSR1 asks for.
func (s *Server) reopenLogs() {
	if err := s.current.Load().access.Reopen(); err != nil {
		s.log.Error("access log goes on in the old file", "error", fmt.Errorf("reopen: %w", err))
		return
	}
	s.log.Info("logs reopened")
}
