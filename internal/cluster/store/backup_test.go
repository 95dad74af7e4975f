package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

func TestBackup_IsRestoredWhileTheStoreGoesOn(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "evergate.backup")
	s := storetest.Open(t, store.Options{Dir: dir})
	id, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	writing := make(chan error)
	stop := make(chan struct{})
	go func() { // the backup is online: somebody writes all the time
		for i := 0; ; i++ {
			select {
			case <-stop:
				writing <- nil
				return
			default:
			}
			if err := s.Write(t.Context(), put(fmt.Sprint("meanwhile", i))); err != nil {
				writing <- err
				return
			}
		}
	}()
	err = s.Backup(t.Context(), to)
	close(stop)
	if err := errors.Join(err, <-writing); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup's mode is %v (%v), want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(to), "*")); len(left) != 1 {
		t.Errorf("beside the backup are %v", left)
	}

	fresh := filepath.Join(t.TempDir(), "data")
	if _, err := store.Restore(t.Context(), to, fresh, false); err != nil {
		t.Fatal(err)
	}
	restored := storetest.Open(t, store.Options{Dir: fresh})
	if again, err := restored.Identity(t.Context()); err != nil || again != id {
		t.Errorf("the restored store is %+v (%v), want %+v", again, err, id)
	}
	if got := keys(t, restored); len(got) == 0 || got[0] != "before" {
		t.Errorf("restored is %v, want what was there before the backup", got)
	}
}

func TestBackup_TakesKeysWhenAsked(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "b")
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", "sticky"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, store.Options{Dir: dir})
	if err := s.Backup(t.Context(), to, filepath.Join("..", "passwd")); err == nil {
		t.Error("a file outside of data_dir was taken")
	}
	if err := s.Backup(t.Context(), to, filepath.Join("keys", "sticky")); err != nil {
		t.Fatal(err)
	}
	fresh := t.TempDir()
	if _, err := store.Restore(t.Context(), to, fresh, false); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(fresh, "keys", "sticky")); err != nil || string(text) != "secret" {
		t.Errorf("the key came back as %q, %v", text, err)
	}
	if err := s.Backup(t.Context(), to); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second backup to the same file says %v, want ErrExists", err)
	}
}

// backedUp returns a backup whose only file of certificates is key.
func backedUp(t *testing.T, key string) string {
	t.Helper()
	s := storetest.SQLite(t)
	if err := s.Write(t.Context(), put(key)); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "backup")
	if err := s.Backup(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestRestore_KeepsWhatWasThereBesideWithForce(t *testing.T) {
	from, dir := backedUp(t, "from the backup"), t.TempDir()
	s := storetest.Open(t, store.Options{Dir: dir})
	if err := s.Write(t.Context(), put("there before")); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		if _, err := store.Restore(t.Context(), from, dir, force); err == nil || !strings.Contains(err.Error(), "stop it first") {
			t.Fatalf("a restore under a running store says %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), from, dir, false); !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), "--force") {
		t.Fatalf("a restore over a store says %v, want ErrExists and --force", err)
	}
	kept, err := store.Restore(t.Context(), from, dir, true)
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, error %v", kept, err)
	}
	s = storetest.Open(t, store.Options{Dir: dir})
	if got := strings.Join(keys(t, s), " "); got != "from the backup" {
		t.Errorf("restored is %q", got)
	}
	old := t.TempDir()
	if err := os.Rename(kept[0], filepath.Join(old, "core.db")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(keys(t, storetest.Open(t, store.Options{Dir: old})), " "); got != "there before" {
		t.Errorf("kept is %q", got)
	}
}

func TestRestore_RefusesWhatIsNoSoundBackupAndLeavesTheDataAlone(t *testing.T) {
	sound, err := os.ReadFile(backedUp(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, sound...)
	flipped[len(flipped)/2] ^= 0xff
	dir := t.TempDir()
	if err := storetest.Open(t, store.Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "core.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"an empty file": {}, "a text": []byte("no backup"), "half a backup": sound[:len(sound)/2],
		"a flipped byte": flipped, "a cut end": sound[:len(sound)-4],
	} {
		from := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(from, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Restore(t.Context(), from, dir, true); err == nil {
			t.Errorf("%s was restored", name)
		}
		after, err := os.ReadFile(filepath.Join(dir, "core.db"))
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: the data has changed (%v)", name, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
