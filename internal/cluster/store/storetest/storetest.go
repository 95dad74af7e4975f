// Package storetest is for tests: the conformance suite of the store, a
// PostgreSQL of their own, and a line to it that can be cut.
package storetest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// patience is how long a test waits for what must happen; it fails after that.
const patience = 20 * time.Second

// SQLite returns an open store in a folder of its own, closed when t ends.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return Open(t, store.Options{Dir: t.TempDir()})
}

// Open opens a store that is there, and closes it when t ends.
func Open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s := OpenLost(t, o)
	WaitFound(t, s)
	return s
}

// OpenLost opens a store that may be lost, and closes it when t ends.
func OpenLost(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	if o.Log == nil {
		o.Log = Log(t)
	}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// Log writes to the test's own log.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// WaitFound waits until s is not lost.
func WaitFound(t testing.TB, s *store.Store) {
	t.Helper()
	WaitState(t, s, "there", func(state store.State) bool { return !state.Lost })
}

// WaitLost waits until s is lost, and returns why.
func WaitLost(t testing.TB, s *store.Store) error {
	t.Helper()
	WaitState(t, s, "lost", func(state store.State) bool { return state.Lost })
	return s.State().Err
}

// WaitState waits until want is true of the state of s; name is for the failure.
func WaitState(t testing.TB, s *store.Store, name string, want func(store.State) bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		changed := s.Changed()
		state := s.State()
		if want(state) {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("the store is not %s within %v; it is %+v", name, patience, state)
		}
	}
}
