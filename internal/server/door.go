package server

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/server/levers"
	"github.com/evergate/evergate/internal/server/view"
)

// apiDoor is the running server as operators see it: an api.Door.
type apiDoor struct{ server *Server }

var _ api.Door = (*apiDoor)(nil)

// Status implements api.Door.
func (d *apiDoor) Status() api.Status {
	s := d.server
	now, build := time.Now(), ThisBuild()
	status := api.Status{
		At: now, Version: build.Version, Commit: build.Revision, Go: build.Go, PID: os.Getpid(),
		Started: s.started, Uptime: now.Sub(s.started).Seconds(), Phase: api.Starting, Config: s.path,
		Store: d.store(), Settings: d.settings(), Conditions: s.board.Conditions(), Overrides: s.controls.Overrides(),
		Figures: s.figures.Now(),
	}
	switch phase(s.phase.Load()) {
	case serving:
		status.Phase = api.Serving
	case draining:
		status.Phase = api.Draining
	}
	if g := s.current.Load(); g != nil {
		status.Node, status.Loaded = nodeName(g.cfg), g.loaded
	}
	return status
}

// store is how the store is.
func (d *apiDoor) store() api.Store {
	found, kept := d.server.store.State(), d.server.settings.State()
	out := api.Store{Kind: string(found.Kind), Local: found.Local, Lost: found.Lost || kept.Lost, Since: found.Since, Advice: found.Advice, Confirm: kept.Doubt}
	err := found.Err
	if err == nil {
		err = kept.LostError
		out.Since = latest(found.Since, kept.Since)
	}
	if err != nil {
		out.Error = err.Error()
	}
	if kept.Doubt != "" {
		out.Advice = "If it should have this node's settings: evergate store confirm --refill. If it is right as it is, and this node's settings may go: evergate store confirm --accept."
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settings is how the settings are kept.
func (d *apiDoor) settings() api.Settings {
	kept := d.server.settings.State()
	out := api.Settings{Rev: kept.Rev, Journal: kept.Journal, Due: kept.Due, Overdue: kept.Overdue, Skipped: len(kept.Skipped)}
	if kept.LastGoodError != nil {
		out.LastGoodError = kept.LastGoodError.Error()
	}
	return out
}

// Figures implements api.Door.
func (d *apiDoor) Figures() api.Figures { return d.server.figures.Now() }

// Config implements api.Door.
func (d *apiDoor) Config() json.RawMessage {
	g := d.server.current.Load()
	return levers.Overlay(g.cfg, d.server.settings.All()).Redacted()
}

// Sites implements api.Door.
func (d *apiDoor) Sites() []api.Site {
	g := d.server.current.Load()
	return view.Sites(levers.Overlay(g.cfg, d.server.settings.All()))
}

// Origins implements api.Door.
func (d *apiDoor) Origins() []api.Origin {
	g := d.server.current.Load()
	return view.Origins(levers.Overlay(g.cfg, d.server.settings.All()), g.proxy.Snapshots())
}

// Reload implements api.Door.
func (d *apiDoor) Reload(_ context.Context, actor string) api.Reload {
	return d.server.Reload(cmp.Or(actor, "somebody"))
}
