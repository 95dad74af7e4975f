package server

import (
	"context"
	"net/http"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/chat"
	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/server/chatops"
	"github.com/evergate/evergate/internal/server/controls"
	"github.com/evergate/evergate/internal/server/health"
	"github.com/evergate/evergate/internal/server/levers"
	"github.com/evergate/evergate/internal/server/view"
)

// operate builds what operators meet: the API, the chat, and what both show. The
// settings are there.
func (s *Server) operate() (err error) {
	s.events = api.NewEvents()
	s.board = health.NewBoard(func(c api.Condition) {
		s.log.Warn("condition", "name", c.Name, "severity", c.Severity, "summary", c.Summary)
		s.events.Publish(api.Event{Kind: api.EventCondition, Data: c})
	})
	s.figures = view.NewFigures(s.metrics.registry)
	s.tokens = token.NewKeeper(s.settings, clock.Clock{}, s.log)
	door := &apiDoor{s}
	gate, err := api.NewGate(api.GateOptions{Tokens: s.tokens, Log: s.log, Registerer: s.metrics.registry})
	if err != nil {
		return err
	}
	handler := api.New(api.Options{
		Door: door, Levers: s.controls, Dues: s.controls, Tokens: s.tokens, Confirmer: s.controls,
		Events: s.events, Gate: gate, Version: ThisBuild().Version, Log: s.log,
	})
	s.admin = newAdmin(adminOptions{
		Registry: s.metrics.registry, Ready: s.ready, API: handler, Log: s.log,
		Admins: func(next http.Handler) http.Handler { return gate.Require(token.Admin, next) },
		Host:   gate.HostCheck,
	})
	s.chat, err = chat.New(chat.Options{
		Operator: &chatops.Operator{Door: door, Turn: s.controls, Parse: s.controls.Parse}, Log: s.log, Registerer: s.metrics.registry,
	})
	if err != nil {
		return err
	}
	s.atStop(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		s.closed("chat", s.chat.Wait(ctx))
	})
	return nil
}

// turned makes the process act on settings, and tells who listens. It is for
// setting.Options: the answer to a change waits for it.
func (s *Server) turned(changed []setting.Version) {
	s.turning.Lock()
	g := s.current.Load()
	if g == nil {
		s.turning.Unlock()
		return // the first generation is built with them
	}
	if err := levers.Act(g.target(s.logging), g.cfg, changed); err != nil {
		s.log.Error("a lever could not be turned", "error", err)
	}
	s.turning.Unlock()
	for _, v := range changed {
		lever, err := controls.At(g.cfg, s.settings, v)
		if err != nil {
			continue // a token, or a lever whose place has gone
		}
		s.log.Info("lever", "name", lever.Name, "value", string(lever.Value), "set", lever.Set, "actor", v.Actor, "reason", v.Reason, "version", v.Number)
		s.events.Publish(api.Event{Kind: api.EventLever, Data: lever})
	}
}

// serverChanged tells who listens that a server's state has changed.
func (s *Server) serverChanged(c origin.Change) {
	g := s.current.Load()
	if g == nil {
		return
	}
	turned := levers.Overlay(g.cfg, s.settings.All())
	for _, o := range view.Origins(turned, g.proxy.Snapshots()) {
		if o.Name != c.Origin {
			continue
		}
		for _, server := range o.Servers {
			if server.Address == c.Server {
				s.events.Publish(api.Event{Kind: api.EventServer, Data: api.ServerEvent{At: c.At, Origin: c.Origin, Server: server}})
			}
		}
	}
}

// watch looks at everything every two seconds until ctx ends.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(view.SampleEvery)
	defer tick.Stop()
	for {
		s.lookAround(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAround takes a sample of the figures and brings the conditions up to date.
// Streams of events fetch the figures themselves.
func (s *Server) lookAround(now time.Time) {
	g := s.current.Load()
	snapshots := g.proxy.Snapshots()
	s.figures.Sample(now, g.cfg, snapshots)
	s.board.Update(now, s.findings(g, snapshots))
}
