package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// patience is how long a test waits for what must happen; it fails after that.
const patience = 20 * time.Second

// mode is how a wire behaves.
type mode int

const (
	passes  mode = iota
	refuses      // the store says that it is lost
	errs         // it answers errors, and does not say that it is lost
	hangs        // it answers nothing
	mute         // it does what it is asked for and does not say so
)

// wire is a store that a test can cut off.
type wire struct {
	*store.Store

	mu      sync.Mutex // guards the fields below
	mode    mode
	changed chan struct{}
}

func newWire(s *store.Store) *wire { return &wire{Store: s, changed: make(chan struct{})} }

func (l *wire) set(m mode) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mode = m
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *wire) now() (mode, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode, l.changed
}

// fail returns the error that the wire makes of a call.
func (l *wire) fail(ctx context.Context) error {
	switch m, _ := l.now(); m {
	case refuses, errs:
		return store.ErrUnavailable
	case hangs:
		<-ctx.Done()
		return store.ErrOutcomeUnknown
	}
	return nil
}

func (l *wire) State() store.State {
	s := l.Store.State()
	if m, _ := l.now(); m == refuses {
		s.Lost, s.Err = true, store.ErrUnavailable
	}
	return s
}

func (l *wire) Changed() <-chan struct{} {
	_, changed := l.now()
	return changed
}

func (l *wire) Write(ctx context.Context, fn func(*store.Tx) error) error {
	if err := l.fail(ctx); err != nil {
		return err
	}
	err := l.Store.Write(ctx, fn)
	if m, _ := l.now(); m == mute && err == nil {
		return store.ErrOutcomeUnknown
	}
	return err
}

func (l *wire) Read(ctx context.Context, fn func(*store.Tx) error) error {
	if err := l.fail(ctx); err != nil {
		return err
	}
	return l.Store.Read(ctx, fn)
}

// hands is a clock that a test turns.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func newHands() *hands { return &hands{now: time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)} }

func (h *hands) clock() clock.Clock {
	return clock.At(func() time.Time {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now
	})
}

func (h *hands) turn(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// quiet is a log for what is expected to go wrong.
var quiet = slog.New(slog.DiscardHandler)

// openStore returns a real SQLite store in dir.
func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	return storetest.Open(t, store.Options{Dir: dir, Log: quiet})
}

// begin starts a service on st with its files in dir.
func begin(t testing.TB, st Store, dir string, apply func([]Version)) *Service {
	t.Helper()
	return beginWith(t, Options{Store: st, Dir: dir, Node: "n1", Apply: apply})
}

func beginWith(t testing.TB, o Options) *Service {
	t.Helper()
	s := open(t, o)
	s.Start(context.Background())
	t.Cleanup(s.Stop)
	return s
}

// open returns a service that was not started: it does what there is to do when the
// test calls round.
func open(t testing.TB, o Options) *Service {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func value(text string) json.RawMessage { return json.RawMessage(text) }

// put sets key to v, or resets it for "", on the version in force.
func put(t testing.TB, s *Service, key, v string) Result {
	t.Helper()
	return change(t, s, Change{Key: key, Value: value(v)})
}

// change makes a change by ann on the version in force.
func change(t testing.TB, s *Service, c Change) Result {
	t.Helper()
	now, _ := s.Current(c.Key)
	c.Based = now.Number
	if c.Actor == "" {
		c.Actor = "ann"
	}
	if c.Reason == "" {
		c.Reason = "r"
	}
	if len(c.Value) == 0 {
		c.Value = nil
	}
	r, err := s.Put(context.Background(), c)
	if err != nil {
		t.Fatalf("put %s: %v", c.Key, err)
	}
	return r
}

// holds fails t unless key has value v in force, "" for none.
func holds(t testing.TB, s *Service, key, v string) {
	t.Helper()
	if now, _ := s.Current(key); string(now.Value) != v {
		t.Errorf("%s is %q, want %q: %+v", key, now.Value, v, now)
	}
}

// past returns the whole history of key as "value actor", the first version first.
func past(t testing.TB, s *Service, key string) (list []string) {
	t.Helper()
	all, whole, err := s.History(context.Background(), key, 0, 1000)
	if err != nil || !whole {
		t.Fatalf("history of %s: whole %t, %v", key, whole, err)
	}
	for i, v := range all {
		if v.Number != int64(len(all)-i) {
			t.Errorf("%s has version %d at place %d", key, v.Number, len(all)-i)
		}
		list = append([]string{fmt.Sprintf("%s %s", v.Value, v.Actor)}, list...)
	}
	return list
}

// wait waits until ok.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		clock.Sleep(context.Background(), 5*time.Millisecond)
	}
}

// nofence is the fence of a node that is alone.
func nofence(*store.Tx) error { return nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
