package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// other opens core.db as another program would.
func other(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "core.db")+"?_busy_timeout=1000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestSQLite_LockedByAnotherProgramIsLostUntilItLetsGo(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, store.Options{Dir: dir})
	if err := s.Write(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	shell := other(t, dir)
	mustExec(t, shell, "BEGIN EXCLUSIVE")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Write(ctx, put("lost")); !errors.Is(err, store.ErrBusy) || !store.Lost(err) || !strings.Contains(store.Advice(err), "fuser") {
		t.Errorf("a write says %v with the advice %q, want ErrBusy and how to find the other", err, store.Advice(err))
	}
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrBusy) {
		t.Errorf("it is lost for %v, want ErrBusy", err)
	}
	if got := strings.Join(keys(t, s), " "); got != "before" {
		t.Errorf("read %q, want \"before\"", got)
	}
	mustExec(t, shell, "ROLLBACK")
	storetest.WaitFound(t, s)
	if err := s.Write(t.Context(), put("after")); err != nil {
		t.Error(err)
	}
	if got := strings.Join(keys(t, s), " "); got != "after before" {
		t.Errorf("stored is %q, want \"after before\": a write that was refused must not come later", got)
	}
}

func TestOpen_OfALockedFileIsLostUntilTheOtherLetsGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := storetest.Open(t, store.Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	shell := other(t, dir)
	mustExec(t, shell, "BEGIN EXCLUSIVE")
	s := storetest.OpenLost(t, store.Options{Dir: dir})
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrBusy) && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it is lost for %v, want ErrBusy", err)
	}
	mustExec(t, shell, "ROLLBACK")
	storetest.WaitFound(t, s)
}

// spoil overwrites the pages of core.db from the second one on.
func spoil(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte(strings.Repeat("\xaa", int(info.Size())-4096)), 4096); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_OfADamagedFileSaysSoAndServesWhatReplacesIt(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"overwritten pages": spoil,
		"no database at all": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database. ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"cut off": func(t *testing.T, path string) {
			if err := os.Truncate(path, 8192); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := storetest.Open(t, store.Options{Dir: dir}).Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "core.db")
			damage(t, path)
			s := storetest.OpenLost(t, store.Options{Dir: dir})
			if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(s.State().Advice, "evergate store restore") {
				t.Errorf("it is lost for %v with the advice %q, want ErrCorrupt and how to restore", err, s.State().Advice)
			}
			if err := os.Rename(path, path+".damaged"); err != nil {
				t.Fatal(err)
			}
			storetest.WaitFound(t, s)
		})
	}
}

func TestSQLite_DamagedWhileOpenIsLost(t *testing.T) {
	dir := t.TempDir()
	if err := storetest.Open(t, store.Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, store.Options{Dir: dir})
	// By another process: closing the file in this one would let go SQLite's locks.
	path := filepath.Join(dir, "core.db")
	spoiler := exec.CommandContext(t.Context(), "dd", "if=/dev/urandom", "of="+path, "bs=4096", "seek=1", "count=60", "conv=notrunc")
	if out, err := spoiler.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The writer may still have the pages in memory; a reader has not.
	err := s.Read(t.Context(), func(tx *store.Tx) error {
		var n int
		return tx.QueryRow("SELECT count(*) FROM cert_file").Scan(&n)
	})
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a read says %v, want ErrCorrupt", err)
	}
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("it is lost for %v, want ErrCorrupt", err)
	}
}

func TestSQLite_RemovedWhileOpenIsMadeAnewAsAnotherStore(t *testing.T) {
	dir := t.TempDir()
	s := storetest.Open(t, store.Options{Dir: dir})
	before, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"core.db", "core.db-wal", "core.db-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	storetest.WaitState(t, s, "made anew", func(store.State) bool {
		id, err := s.Identity(t.Context())
		return err == nil && id.Store != before.Store
	})
}

func TestSQLite_FullDiskIsLostUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small tmpfs")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount a tmpfs: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	s := storetest.Open(t, store.Options{Dir: dir})
	if err := s.Write(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 16<<20), 0o600) // as much as fits
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO cert_file (key, value, modified_at) VALUES ('big', $1, 0)", strings.Repeat("x", 1<<20))
		return err
	})
	if !errors.Is(err, store.ErrFull) || !store.Lost(err) {
		t.Errorf("a write to the full disk says %v, want ErrFull", err)
	}
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrFull) {
		t.Errorf("it is lost for %v, want ErrFull", err)
	}
	if got := strings.Join(keys(t, s), " "); got != "before" {
		t.Errorf("read %q, want \"before\"", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	storetest.WaitFound(t, s)
	if err := s.Write(t.Context(), put("after")); err != nil {
		t.Error(err)
	}
}

func TestOpen_RefusesTheFileOfAnotherMachineThatIsAlive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	here := storetest.Open(t, store.Options{Dir: dir, Host: "door-1"})
	_, err := store.Open(t.Context(), store.Options{Dir: dir, Host: "door-2", Log: storetest.Log(t)})
	if !errors.Is(err, store.ErrSecondHost) || !strings.Contains(store.Advice(err), "core.db.host") {
		t.Errorf("Open on the second machine says %v with the advice %q", err, store.Advice(err))
	}
	if err := here.Write(t.Context(), put("x")); err != nil {
		t.Errorf("the first one is disturbed: %v", err)
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	storetest.Open(t, store.Options{Dir: dir, Host: "door-2"})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("after an orderly stop the second machine waited %v", took)
	}
}

func TestOpen_TakesOverFromAMachineThatDied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "core.db.host"), []byte(`{"host":"door-1","name":"door-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := storetest.Open(t, store.Options{Dir: dir, Host: "door-2"})
	if err := s.Write(t.Context(), put("x")); err != nil {
		t.Error(err)
	}
}
