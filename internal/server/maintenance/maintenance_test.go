package maintenance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/migrations"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
	"github.com/evergate/evergate/internal/keyring"
	"github.com/evergate/evergate/internal/server/datadir"
)

var silent = slog.New(slog.DiscardHandler)

// newPlace is an Evergate with a data_dir that is there, with more configuration.
func newPlace(t *testing.T, more string) *Place {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "evergate.yaml")
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("node: {data_dir: %s}\nlisten: {http: ':8080'}\nsites: [{hosts: ['*'], routes: [{path: /*, respond: {status: 204}}]}]\n%s", data, more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := At(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open opens the store as a running Evergate does.
func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// keep writes value into s, where cert_file stands for all tables.
func keep(t *testing.T, s *store.Store, value string) {
	t.Helper()
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Exec("DELETE FROM cert_file"); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO cert_file (key, value, modified_at) VALUES ($1, $2, $3)", "k", value, int64(1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func kept(t *testing.T, s *store.Store) (value string) {
	t.Helper()
	err := s.Read(t.Context(), func(tx *store.Tx) error { return tx.QueryRow("SELECT value FROM cert_file").Scan(&value) })
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestBackup_ComesBackByRestore(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running %t", running), func(t *testing.T) {
			p := newPlace(t, "")
			s := open(t, p.DataDir())
			keep(t, s, "before")
			if !running {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			file := filepath.Join(t.TempDir(), "backup")
			if err := p.Backup(t.Context(), file, false, silent); err != nil {
				t.Fatal(err)
			}
			if running {
				keep(t, s, "after") // it goes on as if nothing had happened
				if state := s.State(); state.Lost {
					t.Errorf("the store is lost after a backup: %v", state.Err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}

			if _, _, err := p.Restore(t.Context(), file, false); !errors.Is(err, store.ErrExists) {
				t.Errorf("without force a restore over a store says %v", err)
			}
			aside, _, err := p.Restore(t.Context(), file, true)
			if err != nil || len(aside) == 0 {
				t.Fatalf("kept %q, %v", aside, err)
			}
			if got := kept(t, open(t, p.DataDir())); got != "before" {
				t.Errorf("the store has %q", got)
			}
		})
	}
}

func TestRestore_WantsNoEvergateToRun(t *testing.T) {
	p := newPlace(t, "")
	s := open(t, p.DataDir())
	keep(t, s, "before")
	file := filepath.Join(t.TempDir(), "backup")
	if err := p.Backup(t.Context(), file, false, silent); err != nil {
		t.Fatal(err)
	}
	dir, err := datadir.Open(p.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	var used *datadir.InUseError
	if _, _, err := p.Restore(t.Context(), file, true); !errors.As(err, &used) || !strings.Contains(err.Error(), "systemctl stop evergate") {
		t.Errorf("a restore under a running Evergate says %v", err)
	}
	if err := p.Migrate(t.Context(), "postgres://127.0.0.1:1/x", silent, nil); !errors.As(err, &used) {
		t.Errorf("a migration under a running Evergate says %v", err)
	}
	if got := kept(t, s); got != "before" {
		t.Errorf("the store has %q", got)
	}
}

func TestRestore_SaysWhatThisNodeRemembers(t *testing.T) {
	p := newPlace(t, "")
	s := open(t, p.DataDir())
	file := filepath.Join(t.TempDir(), "backup")
	if err := errors.Join(p.Backup(t.Context(), file, false, silent), s.Close()); err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(p.DataDir(), lastGood)
	if err := os.WriteFile(last, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, remembered, err := p.Restore(t.Context(), file, true); err != nil || remembered != last {
		t.Errorf("got %q, %v", remembered, err)
	}
}

func TestBackup_TakesKeysOnlyWhenAsked(t *testing.T) {
	p := newPlace(t, "")
	open(t, p.DataDir())
	before, err := p.Keys()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, keys := range map[string]bool{"with": true, "without": false} {
		file := filepath.Join(dir, name)
		if err := p.Backup(t.Context(), file, keys, silent); err != nil {
			t.Fatal(err)
		}
		other := newPlace(t, "")
		if _, _, err := other.Restore(t.Context(), file, false); err != nil {
			t.Fatal(err)
		}
		after, err := other.Keys()
		if err != nil {
			t.Fatal(err)
		}
		if same := after[0].ID == before[0].ID; same != keys {
			t.Errorf("%s keys, the restored key is the same: %t", name, same)
		}
	}
}

func TestBackup_Refuses(t *testing.T) {
	fresh := newPlace(t, "")
	if err := fresh.Backup(t.Context(), filepath.Join(t.TempDir(), "x"), false, silent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that is not there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(fresh.DataDir(), "core.db")); err == nil {
		t.Error("a store was made in order to back it up")
	}
	p := newPlace(t, "")
	open(t, p.DataDir())
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Backup(t.Context(), file, false, silent); !errors.Is(err, store.ErrExists) {
		t.Errorf("a file that is there: %v", err)
	}
}

func TestBackup_LeavesTheSchemaOfAnOlderEvergateThatRuns(t *testing.T) {
	p := newPlace(t, "")
	s := open(t, p.DataDir())
	older := func(tx *store.Tx) error {
		_, err := tx.Exec("DELETE FROM " + migrations.VersionTable + " WHERE version_id > 0")
		return err
	}
	if err := s.Write(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	dir, err := datadir.Open(p.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	var used *datadir.InUseError
	if err := p.Backup(t.Context(), filepath.Join(t.TempDir(), "x"), false, silent); !errors.As(err, &used) || !strings.Contains(err.Error(), "of an older release") {
		t.Errorf("got %v", err)
	}
}

func TestRestore_RefusesAPostgreSQL(t *testing.T) {
	p := newPlace(t, "store: {url: 'postgres://u@127.0.0.1:1/x'}\n")
	if _, _, err := p.Restore(t.Context(), "x", false); err == nil || !strings.Contains(err.Error(), "pg_restore") {
		t.Errorf("got %v", err)
	}
}

func TestMigrate_CopiesIntoAnEmptyPostgreSQL(t *testing.T) {
	url := storetest.Postgres(t)
	p := newPlace(t, "")
	s := open(t, p.DataDir())
	keep(t, s, "before")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	if err := p.Migrate(t.Context(), url, silent, func(table string, n int) { rows[table] = n }); err != nil {
		t.Fatal(err)
	}
	if rows["cert_file"] != 1 {
		t.Errorf("it told of %v", rows)
	}
	moved, err := store.Open(t.Context(), store.Options{Dir: p.DataDir(), URL: url, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer moved.Close()
	if got := kept(t, moved); got != "before" {
		t.Errorf("the new store has %q", got)
	}
	if err := p.Migrate(t.Context(), url, silent, nil); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second time: %v", err)
	}
}

func TestMigrate_SaysWhatIsInTheWay(t *testing.T) {
	p := newPlace(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	var log bytes.Buffer
	err := p.Migrate(ctx, "postgres://u:secret@127.0.0.1:1/x", slog.New(slog.NewTextHandler(&log, nil)), nil)
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error()+log.String(), "secret") {
		t.Errorf("it repeats a password: %v\n%s", err, log.String())
	}
}

func TestRotate_TheOldKeyVerifiesUnlessItIsDropped(t *testing.T) {
	p := newPlace(t, "")
	count := func() int {
		t.Helper()
		keys, err := p.Keys()
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	before := count()
	made, err := p.Rotate(keyring.Sticky, false)
	if err != nil || count() != before+1 {
		t.Fatalf("%d keys, %v", count(), err)
	}
	keys, err := p.Keys()
	if err != nil || keys[0].ID != made.ID || !keys[0].Current || keys[1].Current {
		t.Errorf("the keys are %+v, %v", keys, err)
	}
	if _, err := p.Rotate(keyring.Sticky, true); err != nil || count() != before {
		t.Errorf("%d keys, %v", count(), err)
	}
	if _, err := p.Rotate("none", false); !errors.Is(err, keyring.ErrUnknownPurpose) {
		t.Errorf("a purpose that is none: %v", err)
	}
}

func TestKeys_SayWhereTheyComeFrom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(strings.Repeat("k", 44)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, "keys: {sticky: {file: "+file+"}}\n")
	keys, err := p.Keys()
	if err != nil || keys[0].Given != file || !keys[0].Made.IsZero() {
		t.Errorf("got %+v, %v", keys, err)
	}
	if _, err := p.Rotate(keyring.Sticky, false); !errors.Is(err, keyring.ErrGiven) {
		t.Errorf("a given key was rotated: %v", err)
	}
}

// What root makes in another user's data_dir is that user's.
func TestHandOver_GivesFilesToTheUserOfTheFolder(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: only root can give files away")
	}
	p := newPlace(t, "")
	if err := os.Chown(p.DataDir(), 4711, 4712); err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(p.DataDir(), "core.db")
	trap := filepath.Join(p.DataDir(), "core.db-trap")
	elsewhere := filepath.Join(t.TempDir(), "shadow")
	for _, path := range []string{ours, elsewhere} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(elsewhere, trap); err != nil {
		t.Skipf("needs hard links between the folders for tests: %v", err)
	}
	if err := p.handOver(); err != nil {
		t.Fatal(err)
	}
	if owner := ownerOf(t, ours); owner != 4711 {
		t.Errorf("core.db belongs to %d", owner)
	}
	if owner := ownerOf(t, elsewhere); owner != 0 {
		t.Errorf("a file from elsewhere was given to %d", owner)
	}
}
