package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/setting"
)

// start is the moment of the tests.
var start = time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)

// door is a running Evergate that is made of values.
type door struct {
	reload   Reload
	reloader string
	panics   bool
}

func (d *door) Status() Status {
	if d.panics {
		panic("a mistake in a handler")
	}
	return Status{At: start, Node: "door-1", Phase: Serving, Store: Store{Kind: "sqlite", Local: true}, Figures: d.Figures()}
}
func (d *door) Figures() Figures        { return Figures{At: start, Requests: 12} }
func (d *door) Config() json.RawMessage { return json.RawMessage(`{"node": {"name": "door-1"}}`) }
func (d *door) Sites() []Site {
	return []Site{{Hosts: []string{"book.example.org"}, Routes: []Route{{Match: "/*", Origin: "booking"}}}}
}
func (d *door) Origins() []Origin {
	return []Origin{{Name: "booking", Servers: []Server{
		{Address: "10.0.0.11:8080", Configured: "10.0.0.11:8080", State: "up", Health: "up"},
		{Address: "10.0.0.21:80", Configured: "app.internal:80", State: "up", Health: "up"},
		{Address: "10.0.0.22:80", Configured: "app.internal:80", State: "up", Health: "ejected"},
		{Address: "unix:/run/app.sock", Configured: "unix:/run/app.sock", State: "up", Health: "up"},
		{Address: "[::1]:8080", Configured: "[::1]:8080", State: "up", Health: "up"},
	}}}
}
func (d *door) Reload(ctx context.Context, actor string) Reload {
	d.reloader = actor
	if ctx.Err() != nil {
		panic("the reload was given up with the request")
	}
	return d.reload
}

// levers keep their values in memory.
type levers struct {
	mu      sync.Mutex // guards the fields below
	all     map[string]Lever
	changes []Change
	stored  Stored
	whole   bool
	fails   error
	before  func(Change) // called before each change; may change levers
}

func newLevers() *levers {
	l := &levers{all: map[string]Lever{}, stored: InStore, whole: true}
	low, high := 1.0, 1000.0
	l.put(Lever{Name: "origins.booking.max_in_flight", Type: "integer", Min: &low, Max: &high, Value: json.RawMessage("200"), File: json.RawMessage("200")})
	l.put(Lever{Name: "origins.booking.paused", Type: "boolean", Value: json.RawMessage("false"), File: json.RawMessage("false")})
	for _, s := range []string{"10.0.0.11:8080", "app.internal:80", "unix:/run/app.sock", "[::1]:8080"} {
		l.put(Lever{Name: "origins.booking.servers[" + s + "].state", Type: "word", Words: []string{"up", "drain", "maint"}, Value: json.RawMessage(`"up"`), File: json.RawMessage(`"up"`)})
	}
	return l
}

func (l *levers) put(lever Lever) { l.all[lever.Name] = lever }

func (l *levers) Levers() []Lever {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Lever
	for _, lever := range l.all {
		all = append(all, lever)
	}
	slices.SortFunc(all, func(a, b Lever) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (l *levers) Lever(name string) (Lever, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lever, ok := l.all[name]
	if !ok {
		return Lever{}, &UnknownError{What: "lever", Name: name}
	}
	return lever, nil
}

func (l *levers) Change(ctx context.Context, c Change) (Changed, error) {
	if ctx.Err() != nil {
		return Changed{}, fmt.Errorf("the change was given up with the request: %w", ctx.Err())
	}
	if l.before != nil {
		l.before(c)
	}
	lever, err := l.Lever(c.Lever)
	if err != nil {
		return Changed{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil {
		return Changed{}, l.fails
	}
	if c.Based != lever.Version {
		return Changed{}, &ConflictError{Current: &lever}
	}
	var n float64
	if lever.Max != nil && c.Value != nil && (json.Unmarshal(c.Value, &n) != nil || n > *lever.Max) {
		return Changed{}, &InvalidError{Field: "value", Message: fmt.Sprintf("%s is %s, want an integer from 1 to 1000", c.Lever, c.Value), Min: lever.Min, Max: lever.Max}
	}
	l.changes = append(l.changes, c)
	lever.Version++
	lever.Actor, lever.Reason, lever.Since, lever.Set = c.Actor, c.Reason, start, c.Value != nil
	lever.Value = c.Value
	if c.Value == nil {
		lever.Value = lever.File
	}
	l.all[c.Lever] = lever
	return Changed{Lever: lever, Stored: l.stored}, nil
}

func (l *levers) History(_ context.Context, name string, before int64, limit int) ([]LeverVersion, bool, error) {
	if _, err := l.Lever(name); err != nil {
		return nil, false, err
	}
	var versions []LeverVersion
	for n := int64(5); n > 0 && len(versions) < limit; n-- {
		if before == 0 || n < before {
			versions = append(versions, LeverVersion{Lever: name, Number: n, Value: json.RawMessage("1"), At: start})
		}
	}
	return versions, l.whole, nil
}

// dues has one change that waits, "d1".
type dues struct {
	cancelled string
	more      []Due
}

func (d *dues) Dues() []Due {
	return append([]Due{{ID: "d1", Lever: "origins.booking.paused", Kind: "revert", State: "pending"}}, d.more...)
}

func (d *dues) Cancel(_ context.Context, id, actor, reason string) error {
	switch id {
	case "d1":
		d.cancelled = actor + ": " + reason
		return nil
	case "done":
		return &ConflictError{Message: "it was done at 7 o'clock"}
	}
	return &UnknownError{What: "due change", Name: id}
}

// confirmer has nothing to confirm, or has.
type confirmer struct {
	open bool
	how  How
}

func (c *confirmer) Confirm(_ context.Context, how How, actor, reason string) error {
	if !c.open {
		return &ConflictError{Message: "the store is as it was; there is nothing to confirm"}
	}
	c.how = how
	return nil
}

// memory keeps settings.
type memory struct {
	mu     sync.Mutex // guards the fields below
	all    map[string]setting.Version
	stored setting.Stored
	fails  error
}

func (m *memory) Current(key string) (setting.Version, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.all[key]
	return v, ok
}

func (m *memory) All() []setting.Version {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []setting.Version
	for _, v := range m.all {
		all = append(all, v)
	}
	return all
}

func (m *memory) Put(_ context.Context, c setting.Change) (setting.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return setting.Result{}, m.fails
	}
	if v := m.all[c.Key]; v.Number != c.Based {
		return setting.Result{}, &setting.ConflictError{Current: v}
	}
	v := setting.Version{Key: c.Key, Number: c.Based + 1, Value: c.Value, Actor: c.Actor, Reason: c.Reason}
	m.all[c.Key] = v
	return setting.Result{Version: v, Stored: m.stored}, nil
}

// fixture is an API with everything around it.
type fixture struct {
	t         *testing.T
	door      *door
	levers    *levers
	dues      *dues
	confirmer *confirmer
	settings  *memory
	keeper    *token.Keeper
	registry  *prometheus.Registry
	log       strings.Builder
	events    *Events
	gate      *Gate
	now       time.Time
	tokens    map[token.Role]string
	handler   http.Handler
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, door: &door{reload: Reload{OK: true}}, levers: newLevers(), dues: &dues{}, confirmer: &confirmer{},
		events: NewEvents(), registry: prometheus.NewRegistry(), now: start, tokens: map[token.Role]string{},
	}
	log := slog.New(slog.NewTextHandler(&f.log, nil)) // it locks
	c := clock.At(func() time.Time { return f.now })
	f.settings = &memory{all: map[string]setting.Version{}, stored: setting.InStore}
	f.keeper = token.NewKeeper(f.settings, c, log)
	for _, role := range token.Roles() {
		f.tokens[role] = f.token(string(role), role, time.Time{})
	}
	var err error
	if f.gate, err = NewGate(GateOptions{Tokens: f.keeper, Log: log, Clock: c, Registerer: f.registry}); err != nil {
		t.Fatal(err)
	}
	f.handler = New(Options{
		Door: f.door, Levers: f.levers, Dues: f.dues, Tokens: f.keeper, Confirmer: f.confirmer,
		Events: f.events, Gate: f.gate, Version: "1.2.3", Log: log, Clock: c,
	})
	return f
}

func (f *fixture) token(name string, role token.Role, expires time.Time) string {
	f.t.Helper()
	_, secret, err := f.keeper.Create(f.t.Context(), name, role, expires, "root")
	if err != nil {
		f.t.Fatal(err)
	}
	return secret
}

// request is a request with the admin's token.
func (f *fixture) request(method, path, body string) *http.Request {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, content)
	r.Header.Set("Authorization", "Bearer "+f.tokens[token.Admin])
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// ask sends a request with the admin's token.
func (f *fixture) ask(method, path, body string) *httptest.ResponseRecorder {
	return f.do(f.request(method, path, body))
}

// decode reads an answer that must have this status.
func decode[T any](t *testing.T, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

// problem reads an answer that must be a problem with this status and kind.
func problemIn(t *testing.T, w *httptest.ResponseRecorder, status int, kind string) Problem {
	t.Helper()
	p := decode[Problem](t, w, status)
	if got := w.Header().Get("Content-Type"); got != problemType {
		t.Errorf("Content-Type is %q", got)
	}
	if p.Kind != kindBase+kind || p.Status != status || p.Title == "" || p.Detail == "" {
		t.Errorf("the problem is %+v, want kind %s", p, kind)
	}
	return p
}
