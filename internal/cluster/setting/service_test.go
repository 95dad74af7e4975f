package setting

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// openStore returns a real SQLite store in dir.
func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// begin starts a service on st with its files in dir.
func begin(t *testing.T, st Store, dir string, apply func([]Version)) *Service {
	t.Helper()
	s, err := New(Options{Store: st, Dir: dir, Node: "n1", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Apply: apply})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t.Context())
	t.Cleanup(s.Stop)
	return s
}

func value(text string) json.RawMessage { return json.RawMessage(text) }

func TestService_AChangeActsBeforeItIsAcknowledgedAndOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	st := openStore(t, dir)
	acting := map[string]string{}
	s := begin(t, st, dir, func(vs []Version) {
		for _, v := range vs {
			acting[v.Key] = string(v.Value)
		}
	})
	r, err := s.Put(t.Context(), Change{Key: "k", Value: value("1"), Actor: "ann", Reason: "because"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stored != InStore || r.Version.Number != 1 || acting["k"] != "1" {
		t.Fatalf("got %+v, acting on %q", r, acting["k"])
	}
	var conflict *ConflictError
	if _, err := s.Put(t.Context(), Change{Key: "k", Value: value("2"), Actor: "bob", Reason: "late"}); !errors.As(err, &conflict) || conflict.Current.Number != 1 {
		t.Fatalf("a change based on nothing: %v", err)
	}
	s.Stop()

	again := begin(t, st, dir, nil)
	if v, ok := again.Current("k"); !ok || string(v.Value) != "1" || v.Actor != "ann" {
		t.Fatalf("after a restart: %+v", v)
	}
	history, whole, err := again.History(t.Context(), "k", 0, 10)
	if err != nil || !whole || len(history) != 1 || history[0].Reason != "because" {
		t.Fatalf("history %+v, whole %t, %v", history, whole, err)
	}
}

func TestService_RevertsUnlessSomebodyChangedItSince(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, openStore(t, dir), dir, nil)
	put := func(key, v string, based int64, revert time.Duration) {
		t.Helper()
		if _, err := s.Put(t.Context(), Change{Key: key, Value: value(v), Based: based, Actor: "ann", Reason: "r", RevertAfter: revert}); err != nil {
			t.Fatal(err)
		}
	}
	put("alone", "1", 0, 0)
	put("alone", "2", 1, time.Second)
	put("changed", "2", 0, time.Second)
	put("changed", "3", 1, 0)
	nofence := func(*store.Tx) error { return nil }
	deadline := time.Now().Add(10 * time.Second)
	for s.State().Due > 0 && time.Now().Before(deadline) {
		if err := s.SettleDue(t.Context(), nofence); err != nil {
			t.Fatal(err)
		}
		waitAWhile(t)
	}
	if v, _ := s.Current("alone"); string(v.Value) != "1" || v.Actor != Automatic || v.Number != 3 {
		t.Errorf("alone: %+v", v)
	}
	if v, _ := s.Current("changed"); string(v.Value) != "3" {
		t.Errorf("changed: %+v", v)
	}
	if skipped := s.State().Skipped; len(skipped) != 1 || skipped[0].Key != "changed" {
		t.Errorf("skipped: %+v", skipped)
	}
}

// waitAWhile lets another goroutine do something; the loop around it has a deadline.
func waitAWhile(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// losable is a store that can be lost.
type losable struct {
	*store.Store
	gone bool
}

func (l *losable) State() store.State {
	s := l.Store.State()
	if l.gone {
		s.Lost, s.Err = true, store.ErrUnavailable
	}
	return s
}

func (l *losable) Write(ctx context.Context, fn func(*store.Tx) error) error {
	if l.gone {
		return store.ErrUnavailable
	}
	return l.Store.Write(ctx, fn)
}

func (l *losable) Read(ctx context.Context, fn func(*store.Tx) error) error {
	if l.gone {
		return store.ErrUnavailable
	}
	return l.Store.Read(ctx, fn)
}

func TestService_TurnsWithoutTheStoreAndTellsItLater(t *testing.T) {
	dir := t.TempDir()
	st := &losable{Store: openStore(t, dir)}
	s := begin(t, st, dir, nil)
	if _, err := s.Put(t.Context(), Change{Key: "k", Value: value("1"), Actor: "ann", Reason: "before"}); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	st.gone = true

	s = begin(t, st, dir, nil)
	if v, _ := s.Current("k"); string(v.Value) != "1" {
		t.Fatalf("from the last-good file: %+v", v)
	}
	r, err := s.Put(t.Context(), Change{Key: "k", Value: value("2"), Based: 1, Actor: "bob", Reason: "meanwhile"})
	if err != nil || r.Stored != InJournal || !r.Version.Provisional || r.Version.Number != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	s.Stop() // as good as a kill: the journal has it

	s = begin(t, st, dir, nil)
	if v, _ := s.Current("k"); string(v.Value) != "2" || !s.State().Lost || s.State().Journal != 1 {
		t.Fatalf("from the journal: %+v, %+v", v, s.State())
	}
	s.Stop()
	st.gone = false
	s = begin(t, st, dir, nil)
	history, whole, err := s.History(t.Context(), "k", 0, 10)
	if err != nil || !whole || len(history) != 2 || history[0].Reason != "meanwhile" || !history[0].At.Equal(r.Version.At) || s.State().Journal != 0 {
		t.Fatalf("history %+v, whole %t, %v, %+v", history, whole, err, s.State())
	}
}
