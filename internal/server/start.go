package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/edge/gateway"
	"github.com/evergate/evergate/internal/edge/gateway/accesslog"
	"github.com/evergate/evergate/internal/edge/gateway/certs"
	"github.com/evergate/evergate/internal/edge/gateway/front"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/server/adminsocket"
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

	// What is kept, and the operators' side of it.
	if err := s.keep(cfg); err != nil {
		return err
	}
	if err := s.operate(); err != nil {
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
	s.certs = certs.New(certs.Options{Dir: s.dir.Join("certs"), Storage: s.certStore, Log: s.log, Registerer: s.metrics.registry})
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
	socket, shared, err := adminsocket.Listen(s.dir.Join(adminsocket.Name), adminsocket.Group)
	if err != nil {
		return err
	}
	closeSocket := s.admin.serveSocket(socket)
	s.atStop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		s.closed("admin socket", closeSocket(ctx))
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
	s.atStop(s.events.Close) // the listeners would wait for its streams
	s.atStop(s.startJobs())

	s.phase.Store(int32(serving))
	s.metrics.ready.Set(1)
	s.told(s.notify.Ready("serving"))
	var a Addresses
	a.HTTP, a.HTTPS = s.front.Addresses()
	a.Admin = s.admin.address()
	build := ThisBuild()
	s.log.Info("serving", "http", a.HTTP, "https", a.HTTPS, "http3", cfg.Listen.HTTP3, "admin", a.Admin, "config", s.path,
		"admin_socket", s.dir.Join(adminsocket.Name), "admin_socket_group", shared, "sites", len(cfg.Sites), "origins", len(cfg.Origins), "version", build.Version)
	if s.options.Ready != nil {
		s.options.Ready(a)
	}
	return nil
}

// startJobs begins what runs beside the requests: the jobs that one node does for
// all, and the look around.
func (s *Server) startJobs() (stop func()) {
	s.jobs.Start()
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx) })
	return func() {
		cancel()
		watching.Wait()
		ending, done := context.WithTimeout(context.Background(), closeWithin)
		defer done()
		s.closed("jobs", s.jobs.Stop(ending))
	}
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
