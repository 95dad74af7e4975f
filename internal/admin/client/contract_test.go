package client

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/setting"
)

// house is everything that the API asks, made of values. It keeps the last change.
type house struct {
	lever   api.Lever
	change  api.Change
	word    api.How
	revoked string
}

const leverName = "origins.a/b.servers[unix:/run/a.sock].state"

var made = time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)

func (h *house) Status() api.Status      { return api.Status{At: made, Node: "door-1", Phase: api.Serving} }
func (h *house) Figures() api.Figures    { return api.Figures{At: made} }
func (h *house) Config() json.RawMessage { return json.RawMessage(`{"node":{"name":"door-1"}}`) }
func (h *house) Sites() []api.Site       { return []api.Site{{Hosts: []string{"a.example"}}} }
func (h *house) Origins() []api.Origin {
	return []api.Origin{{Name: "a/b", Servers: []api.Server{{Address: "unix:/run/a.sock", Configured: "unix:/run/a.sock"}}}}
}
func (h *house) Reload(_ context.Context, actor string) api.Reload {
	return api.Reload{Config: "evergate.yaml", Problems: []string{"1:1: asked by " + actor}}
}
func (h *house) Levers() []api.Lever { return []api.Lever{h.lever} }
func (h *house) Lever(name string) (api.Lever, error) {
	if name != leverName {
		return api.Lever{}, &api.UnknownError{What: "lever", Name: name}
	}
	return h.lever, nil
}
func (h *house) Change(_ context.Context, c api.Change) (api.Changed, error) {
	if c.Based != h.lever.Version {
		return api.Changed{}, &api.ConflictError{Current: &h.lever}
	}
	h.change = c
	return api.Changed{Lever: h.lever, Stored: api.InJournal}, nil
}
func (h *house) History(_ context.Context, name string, before int64, limit int) ([]api.LeverVersion, bool, error) {
	return []api.LeverVersion{{Lever: name, Number: before, Value: json.RawMessage("1")}}, limit > 0, nil
}
func (h *house) Dues() []api.Due { return []api.Due{{ID: "d1"}} }
func (h *house) Cancel(_ context.Context, id, _, reason string) error {
	h.revoked = id + " " + reason
	return nil
}
func (h *house) Confirm(_ context.Context, how api.How, _, _ string) error {
	h.word = how
	return nil
}

// tokens are those of house: their names clash with the levers' otherwise.
type tokens struct{ *house }

func (t tokens) Verify(string) (token.Token, error) { return token.Token{}, token.ErrUnknown }
func (t tokens) Valid(string) bool                  { return false }
func (t tokens) List() []token.Token                { return []token.Token{{ID: "k1"}} }
func (t tokens) Create(_ context.Context, name string, role token.Role, expires time.Time, _ string) (token.Token, string, error) {
	return token.Token{ID: "k2", Name: name, Role: role, Expires: expires}, "evg_k2_x", nil
}
func (t tokens) Revoke(_ context.Context, id, _, reason string) (setting.Stored, error) {
	t.revoked = id + " " + reason
	return setting.InStore, nil
}

// serveHouse serves the real API on a unix socket.
func serveHouse(t *testing.T) (*house, *api.Events, *Client) {
	t.Helper()
	h := &house{lever: api.Lever{Name: leverName, Type: "word", Words: []string{"up", "drain", "maint"}, Value: json.RawMessage(`"up"`), File: json.RawMessage(`"up"`), Version: 3}}
	events := api.NewEvents()
	log := slog.New(slog.DiscardHandler)
	gate, err := api.NewGate(api.GateOptions{Tokens: tokens{h}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	handler := api.New(api.Options{
		Door: h, Levers: h, Dues: h, Tokens: tokens{h}, Confirmer: h, Events: events, Log: log, Version: "test",
		Gate: gate,
	})
	dir := shortDir(t)
	path := filepath.Join(dir, "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ConnContext: api.PeerContext}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return h, events, clientFor(t, Options{Socket: path})
}

// TestClient_AndTheAPIUnderstandEachOther asks every endpoint of the real API.
func TestClient_AndTheAPIUnderstandEachOther(t *testing.T) {
	h, _, c := serveHouse(t)
	ctx := t.Context()
	me := "uid:" + userName(uint32(os.Getuid()))
	if u, err := user.Current(); err == nil {
		me = u.Username
	}
	check := func(what string, err error, good bool, got any) {
		t.Helper()
		if err != nil || !good {
			t.Errorf("%s: %v, got %+v", what, err, got)
		}
	}
	status, err := c.Status(ctx)
	check("status", err, status.Value.Node == "door-1" && status.Value.At.Equal(made), status.Value)
	store, err := c.Store(ctx)
	check("store", err, !store.Value.Lost, store.Value)
	config, err := c.Config(ctx)
	check("config", err, json.Valid(config.Value), string(config.Value))
	sites, err := c.Sites(ctx)
	check("sites", err, len(sites.Value.Sites) == 1, sites.Value)
	origins, err := c.Origins(ctx)
	check("origins", err, len(origins.Value.Origins) == 1, origins.Value)
	levers, err := c.Levers(ctx)
	check("levers", err, len(levers.Value.Levers) == 1, levers.Value)
	lever, err := c.Lever(ctx, leverName)
	check("lever", err, lever.Value.Version == 3, lever.Value)
	history, err := c.History(ctx, leverName, 42, 5)
	check("history", err, history.Value.Versions[0].Number == 42 && history.Value.Whole, history.Value)

	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	changed, err := c.Set(ctx, leverName, Turn{Value: json.RawMessage(`"drain"`), Version: 3, Reason: "new kernel", RevertAfter: 15 * time.Minute, At: at})
	check("set", err, changed.Value.Stored == api.InJournal && changed.Value.Note != "" && string(h.change.Value) == `"drain"` && h.change.RevertAfter == 15*time.Minute &&
		h.change.At.Equal(at) && h.change.Actor == me && h.change.Reason == "new kernel", h.change)
	changed, err = c.Reset(ctx, leverName, 3, "it's done & over")
	check("reset", err, changed.Value.Lever.Version == 3 && h.change.Value == nil && h.change.Reason == "it's done & over", h.change)
	_, err = c.Set(ctx, leverName, Turn{Value: json.RawMessage(`"drain"`), Version: 2, Reason: "x"})
	var conflict *Problem
	if !errors.As(err, &conflict) || conflict.Status != http.StatusConflict || conflict.Current == nil || conflict.Current.Version != 3 {
		t.Errorf("a conflict: %+v", err)
	}
	for verb, state := range map[string]string{"enable": `"up"`, "drain": `"drain"`, "disable": `"maint"`} {
		_, err = c.Server(ctx, "a/b", "unix:/run/a.sock", verb, "new kernel", time.Minute)
		check(verb, err, string(h.change.Value) == state && h.change.RevertAfter == time.Minute, h.change)
	}

	dues, err := c.Dues(ctx)
	check("dues", err, len(dues.Value.Due) == 1, dues.Value)
	check("cancel", c.Cancel(ctx, "d1", "put off"), h.revoked == "d1 put off", h.revoked)
	reload, err := c.Reload(ctx)
	check("reload", err, !reload.Value.OK && reload.Value.Config == "evergate.yaml" && reload.Value.Problems[0] == "1:1: asked by "+me, reload.Value)
	list, err := c.Tokens(ctx)
	check("tokens", err, len(list.Value.Tokens) == 1, list.Value)
	issued, err := c.NewToken(ctx, api.NewToken{Name: "ci", Role: token.Operator, ExpiresIn: "24h"})
	check("new token", err, issued.Value.Secret == "evg_k2_x" && issued.Value.Token.Role == token.Operator, issued.Value)
	revoked, err := c.Revoke(ctx, "k1", "lost")
	check("revoke", err, h.revoked == "k1 lost" && revoked.Value.Stored == api.InStore, revoked.Value)
	check("confirm", c.Confirm(ctx, api.Refill, "made anew"), h.word == api.Refill, h.word)

	_, err = c.Lever(ctx, "none")
	var unknown *Problem
	if !errors.As(err, &unknown) || unknown.Status != http.StatusNotFound {
		t.Errorf("a lever that is none: %v", err)
	}
}

// events of the real API, until it ends the stream.
type heard struct {
	kinds chan string
	lost  chan error
}

func (h heard) Event(e Event) error { h.kinds <- e.Name; return nil }
func (h heard) Lost(err error, _ time.Duration) {
	select {
	case h.lost <- err:
	default:
	}
}
func (h heard) Back() {}

func TestFollow_HearsTheAPI(t *testing.T) {
	_, events, c := serveHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	h := heard{make(chan string, 10), make(chan error, 1)}
	done := make(chan error, 1)
	go func() { done <- c.Follow(ctx, h) }()
	if kind := <-h.kinds; kind != string(api.EventState) {
		t.Errorf("the first event is %s", kind)
	}
	events.Publish(api.Event{Kind: api.EventLever, Data: api.Lever{Name: leverName}})
	for kind := range h.kinds {
		if kind == string(api.EventLever) {
			break
		}
	}
	events.Close()
	if err := <-h.lost; err == nil {
		t.Error("the end of the stream was not told")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
