package token

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/cluster/store"
)

var _ Settings = (*setting.Service)(nil)

// begin starts real settings on a real SQLite store in dir.
func begin(t *testing.T, dir string) (*setting.Service, *Keeper) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(t.Context(), store.Options{Dir: dir, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	s, err := setting.New(setting.Options{Store: st, Dir: dir, Node: "door-1", Log: log, Check: Check})
	if err != nil {
		t.Fatal(err)
	}
	s.Start(t.Context())
	t.Cleanup(func() {
		s.Stop()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	now := start
	return s, newKeeper(s, &now)
}

func TestTokensOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	var kept, revoked Token
	var keptSecret, revokedSecret string
	t.Run("made and revoked", func(t *testing.T) {
		s, k := begin(t, dir)
		var err error
		if kept, keptSecret, err = k.Create(t.Context(), "deploy", Operator, start.Add(time.Hour), "anna"); err != nil {
			t.Fatal(err)
		}
		if revoked, revokedSecret, err = k.Create(t.Context(), "laptop", Admin, time.Time{}, "anna"); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Revoke(t.Context(), revoked.ID, "bert", "lost"); err != nil {
			t.Fatal(err)
		}
		history, whole, err := s.History(t.Context(), Key(revoked.ID), 0, 10)
		if err != nil || !whole || len(history) != 2 || history[0].Actor != "bert" || history[0].Reason != "lost" || history[1].Actor != "anna" {
			t.Errorf("history %+v, whole %t, %v", history, whole, err)
		}
	})
	t.Run("and asked again", func(t *testing.T) {
		_, k := begin(t, dir)
		if got, err := k.Verify(keptSecret); err != nil || got != kept {
			t.Errorf("got %+v, %v, want %+v", got, err, kept)
		}
		if _, err := k.Verify(revokedSecret); !errors.Is(err, ErrUnknown) {
			t.Errorf("the revoked one: %v", err)
		}
		if got := k.List(); len(got) != 1 || got[0] != kept {
			t.Errorf("listed %+v", got)
		}
	})
}
