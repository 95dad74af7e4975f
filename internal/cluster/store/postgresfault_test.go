package store_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// put stores one file of certificates, of which key is the name.
func put(key string) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO cert_file (key, value, modified_at) VALUES ($1, 'v', $2)", key, tx.Now())
		return err
	}
}

// keys returns the names of what put stored.
func keys(t *testing.T, s *store.Store) (all []string) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT key FROM cert_file ORDER BY key")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			all = append(all, key)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPostgres_IsLostAndFoundAgain(t *testing.T) {
	for name, mode := range map[string]storetest.Mode{
		"when it refuses": storetest.Refuse, "when it hangs": storetest.Hang, "when it answers errors": storetest.Error,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, url := storetest.NewFault(t, storetest.Postgres(t))
			s := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url})
			if err := s.Write(t.Context(), put("before")); err != nil {
				t.Fatal(err)
			}
			line.Set(t, mode)
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 750*time.Millisecond)
			defer cancel()
			if err := s.Write(ctx, put("lost")); !store.Lost(err) {
				t.Errorf("the first write says %v, want one of a lost store", err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v with a deadline of 750 ms", took)
			}
			if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrUnavailable) || s.State().Advice == "" {
				t.Errorf("it is lost for %v with the advice %q, want ErrUnavailable and some", err, s.State().Advice)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %v to find out", took)
			}
			began = time.Now()
			if err := s.Write(t.Context(), put("lost too")); !store.Lost(err) || time.Since(began) > 100*time.Millisecond {
				t.Errorf("a write to the lost store says %v after %v, want an error at once", err, time.Since(began))
			}
			line.Set(t, storetest.Pass)
			storetest.WaitFound(t, s)
			for range 20 { // every connection of the pool works
				if err := s.Write(t.Context(), func(*store.Tx) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Write(t.Context(), put("after")); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(keys(t, s), " "); got != "after before" {
				t.Errorf("stored is %q, want \"after before\"", got)
			}
		})
	}
}

func TestOpen_DoesNotWaitForADeadPostgres(t *testing.T) {
	for name, mode := range map[string]storetest.Mode{
		"that refuses": storetest.Refuse, "that hangs": storetest.Hang, "that answers errors": storetest.Error,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line, url := storetest.NewFault(t, storetest.Postgres(t))
			line.Set(t, mode)
			began := time.Now()
			s := storetest.OpenLost(t, store.Options{Dir: t.TempDir(), URL: url})
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("Open took %v", took)
			}
			if !s.State().Lost {
				t.Error("the store is not lost")
			}
			line.Set(t, storetest.Pass)
			storetest.WaitFound(t, s)
		})
	}
}

func TestClose_DoesNotWaitForAPostgresThatHangs(t *testing.T) {
	line, url := storetest.NewFault(t, storetest.Postgres(t))
	s := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url})
	line.Set(t, storetest.Hang)
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestClose_InTheMiddleOfALookIsNoLoss(t *testing.T) {
	line, url := storetest.NewFault(t, storetest.Postgres(t))
	var log strings.Builder
	s := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url, Log: slog.New(slog.NewTextHandler(&log, nil))})
	line.Set(t, storetest.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Write(ctx, put("x")); !store.Lost(err) { // now it looks, for 1.5 s
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "is lost") {
		t.Errorf("it logged:\n%s", log.String())
	}
}

func TestPostgres_EmptiedMeanwhileIsAnotherStore(t *testing.T) {
	url := storetest.Postgres(t)
	s := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url})
	before, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	storetest.Empty(t, url)
	if err := s.Write(t.Context(), put("x")); err != nil && !store.Lost(err) {
		t.Errorf("a write to the emptied database says %v, want one of a lost store", err)
	}
	storetest.WaitState(t, s, "made anew", func(state store.State) bool {
		id, err := s.Identity(t.Context())
		return err == nil && id.Store != before.Store
	})
	if err := s.Write(t.Context(), put("y")); err != nil {
		t.Error(err)
	}
}

// admin runs one statement beside the store.
func admin(t *testing.T, url, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestPostgres_ThatComesBackNewerStaysLost(t *testing.T) {
	target := storetest.Postgres(t)
	line, url := storetest.NewFault(t, target)
	s := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url})
	line.Set(t, storetest.Refuse)
	storetest.WaitLost(t, s)
	admin(t, target, "INSERT INTO core_schema_version (version_id, is_applied) VALUES (9999, TRUE)")
	line.Set(t, storetest.Pass)
	storetest.WaitState(t, s, "refused", func(state store.State) bool {
		return state.Lost && errors.Is(state.Err, store.ErrNewerSchema)
	})
	admin(t, target, "DELETE FROM core_schema_version WHERE version_id = 9999")
	storetest.WaitFound(t, s)
}

func TestPostgres_OnAnOlderTimelineIsRefused(t *testing.T) {
	dir, url := t.TempDir(), storetest.Postgres(t)
	s := storetest.Open(t, store.Options{Dir: dir, URL: url})
	id, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if id.System == "" || id.Timeline != 1 {
		t.Fatalf("the identity is %+v, want a system and timeline 1", id)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// As if a promoted standby had been seen before.
	seen := filepath.Join(dir, "store.seen.json")
	if err := os.WriteFile(seen, []byte(`{"`+id.System+`": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s = storetest.OpenLost(t, store.Options{Dir: dir, URL: url})
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrOldTimeline) || !strings.Contains(s.State().Advice, seen) {
		t.Errorf("it is lost for %v with the advice %q, want ErrOldTimeline and the file's name", err, s.State().Advice)
	}
}

func TestPostgres_ThatTakesNoWritesIsLostUntilItDoes(t *testing.T) {
	url := storetest.Postgres(t)
	admin(t, url, "ALTER DATABASE "+database(t, url)+" SET default_transaction_read_only = on")
	s := storetest.OpenLost(t, store.Options{Dir: t.TempDir(), URL: url})
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(s.State().Advice, "primary") {
		t.Errorf("it is lost for %v with the advice %q, want one about the primary", err, s.State().Advice)
	}
	admin(t, url+"&default_transaction_read_only=off", "ALTER DATABASE "+database(t, url)+" RESET default_transaction_read_only")
	storetest.WaitFound(t, s)
}

// database is the name in a URL.
func database(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

func TestPostgres_WakesTheOtherNodes(t *testing.T) {
	line, url := storetest.NewFault(t, storetest.Postgres(t))
	here := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url})
	there := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: url})
	wake, stop := there.Listen("levers")
	defer stop()
	heard := func(name string) {
		t.Helper()
		// The other's listener connects when it can, so it is told until it hears.
		for deadline := time.Now().Add(20 * time.Second); ; {
			if err := here.Write(t.Context(), func(tx *store.Tx) error { tx.Notify("levers"); return nil }); err != nil && !store.Lost(err) {
				t.Fatal(err)
			}
			select {
			case <-wake:
				return
			case <-time.After(50 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: nobody woke the other node", name)
			}
		}
	}
	heard("at first")
	line.Set(t, storetest.Refuse)
	storetest.WaitLost(t, there)
	line.Set(t, storetest.Pass)
	storetest.WaitFound(t, here)
	storetest.WaitFound(t, there)
	heard("after the line was cut")
}

func TestOpen_RefusesAMalformedURLWithoutShowingIt(t *testing.T) {
	for _, url := range []string{
		"hunter2", "mysql://u:hunter2@h/d", "postgres://u:hunter2@h:port/d", "postgres://u:hunter2@[::1/d",
		"postgres://u:hunt er2@h/d?sslmode=hunter2", "postgres://u:%zzhunter2@h/d", "host=h password=hunter2",
	} {
		_, err := store.Open(t.Context(), store.Options{URL: url, Log: storetest.Log(t)})
		if err == nil || !strings.Contains(err.Error(), "store.url") || strings.Contains(err.Error(), "hunt") {
			t.Errorf("%s: the error is %v, want one about store.url without the password", url, err)
		}
	}
}

func TestBackup_OfPostgresNamesThePostgresTool(t *testing.T) {
	s := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t)})
	err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "x"))
	if !errors.Is(err, store.ErrUsePgDump) || !strings.Contains(err.Error(), "pg_dump --format=custom") {
		t.Errorf("the error is %v, want ErrUsePgDump with the command", err)
	}
}
