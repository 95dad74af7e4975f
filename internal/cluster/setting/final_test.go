package setting

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
)

// isToken stands for the keys whose resets are for good.
func isToken(key string) bool { return strings.HasPrefix(key, "token") }

// beginFinal starts a service of which isToken says what holds for good.
func beginFinal(t *testing.T, st Store, dir string) *Service {
	t.Helper()
	return beginWith(t, Options{Store: st, Dir: dir, Node: "n1", Final: isToken})
}

func TestConfirm_AnOlderStoreDoesNotBringBackWhatWasResetForGood(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	former := beginFinal(t, openStore(t, other), other)
	for _, key := range []string{"token-a", "token-b", "lever"} {
		put(t, former, key, "1")
	}
	former.Stop()

	s := beginFinal(t, openStore(t, dir), dir)
	for _, key := range []string{"token-a", "token-c", "lever"} {
		put(t, s, key, "1")
		put(t, s, key, "")
	}
	s.Stop()

	taken := openStore(t, other)
	s = beginFinal(t, taken, dir)
	if s.State().Doubt == "" {
		t.Fatal("another store is taken without a word")
	}
	if err := s.Confirm(t.Context(), Accept, "root", "the old machine is back"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"token-a": "", "token-b": "1", "lever": "1"} {
		if v, _ := s.Current(key); string(v.Value) != want {
			t.Errorf("%s is %q, want %q", key, v.Value, want)
		}
	}
	if _, there := s.Current("token-c"); there {
		t.Error("a token that the store never had is in it")
	}
	history, _, err := s.History(t.Context(), "token-a", 0, 10)
	if err != nil || len(history) != 2 || history[0].Value != nil || history[0].Actor != "ann" {
		t.Errorf("history %+v, %v", history, err)
	}

	// Another node that knew the former store follows, and one that starts anew.
	if v, _ := beginFinal(t, taken, t.TempDir()).Current("token-a"); v.Value != nil {
		t.Errorf("on another node it is %s", v.Value)
	}
}

func TestService_AResetStaysOneWithoutTheStore(t *testing.T) {
	dir := t.TempDir()
	st := newWire(openStore(t, dir))
	s := beginFinal(t, st, dir)
	put(t, s, "token-a", "1")
	put(t, s, "token-a", "")
	put(t, s, "token-b", "1")
	s.Stop()

	st.set(refuses)
	s = beginFinal(t, st, dir)
	put(t, s, "token-b", "") // into the journal
	s.Stop()
	s = beginFinal(t, st, dir)
	for _, key := range []string{"token-a", "token-b"} {
		if v, ok := s.Current(key); !ok || v.Value != nil {
			t.Errorf("%s from this node's disk: %t %q", key, ok, v.Value)
		}
	}
	s.Stop()

	st.set(passes)
	s = beginFinal(t, st, dir)
	history, whole, err := s.History(t.Context(), "token-b", 0, 10)
	if err != nil || !whole || len(history) != 2 || history[0].Value != nil {
		t.Errorf("in the store: %+v, whole %t, %v", history, whole, err)
	}
}

func TestService_GivesBackToAStoreFromLongAgoWhatIsOlderThanItsLastVersions(t *testing.T) {
	dir, restored := t.TempDir(), t.TempDir()
	st := openStore(t, dir)
	s := beginFinal(t, st, dir)
	put(t, s, "token-a", "1")
	backup := filepath.Join(t.TempDir(), "backup")
	if err := st.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	put(t, s, "token-a", "")
	put(t, s, "lever", "7")
	s.Stop()
	err := st.Write(t.Context(), func(tx *store.Tx) error {
		l, err := openLedger(tx, "n2", position{}, false)
		if err != nil {
			return err
		}
		for n := int64(1); n <= keptVersions+1; n++ {
			v := Version{Key: "busy", Number: n, ID: fmt.Sprint("busy-", n), Value: value("1"), Actor: "ann", Reason: "r", Node: "n2", At: tx.Now()}
			if _, err := l.record(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s = beginFinal(t, st, dir) // sees them
	s.Stop()

	if _, err := store.Restore(t.Context(), backup, restored, false); err != nil {
		t.Fatal(err)
	}
	s = beginFinal(t, openStore(t, restored), dir)
	for key, want := range map[string]string{"token-a": "", "lever": "7", "busy": "1"} {
		if v, _ := s.Current(key); string(v.Value) != want {
			t.Errorf("%s is %q, want %q", key, v.Value, want)
		}
	}
}
