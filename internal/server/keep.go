package server

import (
	"context"
	"errors"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/certstore"
	"github.com/evergate/evergate/internal/cluster/lease"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/keyring"
	"github.com/evergate/evergate/internal/server/controls"
)

// dueJob is the job that makes changes whose time has come. A second is what
// operators are promised of levers.
const (
	dueJob      = "settings-due"
	dueJobEvery = 500 * time.Millisecond
)

// keep opens what is kept: keys, the store, and on it the settings, the jobs that
// one node does for all, and certificates. A store that is lost stops none of it.
func (s *Server) keep(cfg *config.Config) (err error) {
	if s.keys, err = keyring.Open(s.dir.Join(""), keyring.Options{Sources: keySources(cfg), Log: s.log}); err != nil {
		return err
	}
	s.store, err = store.Open(context.Background(), store.Options{
		Dir: s.dir.Join(""), URL: cfg.Store.URL.Reveal(), PollOnly: cfg.Store.PollOnly, Log: s.log,
	})
	if err != nil {
		if advice := store.Advice(err); advice != "" {
			return errors.Join(err, errors.New(advice))
		}
		return err
	}
	s.atStop(func() { s.closed("store", s.store.Close()) })

	s.controls = &controls.Controls{File: s.file}
	s.settings, err = setting.New(setting.Options{
		Store: s.store, Dir: s.dir.Join(""), Node: nodeName(cfg), Log: s.log,
		Check: s.controls.Check, Final: token.IsKey, Apply: s.turned, Registerer: s.metrics.registry,
	})
	if err != nil {
		return err
	}
	s.controls.Settings = s.settings
	s.atStop(s.settings.Stop)
	s.settings.Start(context.Background())

	holder, alone := lease.NewHolder(nodeName(cfg)), s.store.State().Local
	trusted := func() bool { return !s.settings.State().Lost }
	s.certStore = certstore.New(certstore.Options{
		Store: s.store, Dir: s.dir.Join("certs"), Holder: holder, Sole: alone, May: trusted, Log: s.log, Registerer: s.metrics.registry,
	})
	s.certStore.Start()
	s.atStop(s.certStore.Close)
	s.jobs = lease.NewJobs(lease.JobsOptions{
		Store: s.store, Holder: holder, Sole: alone, May: trusted, Log: s.log, Registerer: s.metrics.registry,
	})
	return s.jobs.Add(lease.Job{Name: dueJob, Every: dueJobEvery, Run: func(ctx context.Context, term lease.Term) error {
		return s.settings.SettleDue(ctx, term.Fence)
	}})
}

// file is the configuration in use, without levers; nil before the first.
func (s *Server) file() *config.Config {
	if g := s.current.Load(); g != nil {
		return g.cfg
	}
	return nil
}

// keySources says where keys come from that are not made here.
func keySources(cfg *config.Config) map[string]keyring.Source {
	sources := make(map[string]keyring.Source)
	for purpose, s := range cfg.Keys.Sources() {
		sources[purpose] = keyring.Source{File: s.File, Credential: s.Credential}
	}
	return sources
}
