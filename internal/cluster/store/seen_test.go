package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestSeen_RefusesOlderTimelinesOverARestart(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	steps := []struct {
		name    string
		id      Identity
		refused bool
	}{
		{"the first is taken as it is", Identity{System: "a", Timeline: 3}, false},
		{"the same again", Identity{System: "a", Timeline: 3}, false},
		{"an older one of the same system is a former primary", Identity{System: "a", Timeline: 2}, true},
		{"another system has its own", Identity{System: "b", Timeline: 1}, false},
		{"the first is still known after another", Identity{System: "a", Timeline: 1}, true},
		{"a promotion", Identity{System: "a", Timeline: 4}, false},
		{"and the one from before it", Identity{System: "a", Timeline: 3}, true},
		{"a server that tells nothing", Identity{}, false},
	}
	for _, step := range steps {
		if err := openSeen(dir, log).check(step.id); errors.Is(err, ErrOldTimeline) != step.refused || (err != nil) != step.refused {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 1 {
		t.Errorf("in the folder are %v (%v), want one file", names, err)
	}
}

func TestSeen_LearnsAnewFromADamagedFile(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	for _, text := range []string{"", "{", "null", `{"a": "x"}`} {
		if err := os.WriteFile(filepath.Join(dir, seenFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := openSeen(dir, log).check(Identity{System: "a", Timeline: 1}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if err := openSeen(dir, log).check(Identity{System: "a", Timeline: 0}); err != nil {
			t.Errorf("%q, no timeline: %v", text, err)
		}
	}
}
