package certstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/lease"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

func TestStorage_TwoNodesShare(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		a, b := node(t, s, t.TempDir()), node(t, s, t.TempDir())
		b.Start()
		must(t, a.Store(t.Context(), "dir/x", []byte("one")))
		if !has(b, "dir/x", "one") {
			t.Error("what the disk has not is not fetched")
		}
		must(t, a.Store(t.Context(), "dir/x", []byte("two")))
		eventually(t, "a change comes over", func() bool { return has(b, "dir/x", "two") })
		must(t, b.Delete(t.Context(), "dir"))
		must(t, a.pass(t.Context()))
		if !has(a, "dir/x", "") || a.Exists(t.Context(), "dir") {
			t.Error("a deletion does not come over")
		}
		must(t, a.Store(t.Context(), "dir/x", []byte("three")))
		eventually(t, "a new one after the deletion", func() bool { return has(b, "dir/x", "three") })
		must(t, b.Store(t.Context(), "dir/only here for a moment", []byte("x")))
		must(t, a.Delete(t.Context(), "dir")) // a has not seen that one yet
		eventually(t, "what only the store had is deleted as well", func() bool { return has(b, "dir/only here for a moment", "") })
	})
}

func TestStorage_ALockShowsWhatTheOthersHaveDone(t *testing.T) {
	s := openStore(t, "")
	a, b := node(t, s, t.TempDir()), node(t, s, t.TempDir()) // neither makes passes by itself
	must(t, a.Store(t.Context(), "x", []byte("old")))
	must(t, b.Lock(t.Context(), "order"))
	if !has(b, "x", "old") {
		t.Fatal("nothing came over")
	}
	locked := make(chan error)
	go func() { locked <- a.Lock(t.Context(), "order") }()
	must(t, b.Store(t.Context(), "x", []byte("renewed")))
	must(t, b.Unlock(t.Context(), "order"))
	must(t, <-locked)
	if !has(a, "x", "renewed") {
		t.Error("who waited for the lock does not see what was done under it")
	}
}

// cut is a store that can be lost.
type cut struct {
	*store.Store
	lost atomic.Bool
}

var errCut = errors.New("cut off")

func (c *cut) Write(ctx context.Context, fn func(*store.Tx) error) error {
	if c.lost.Load() {
		return errCut
	}
	return c.Store.Write(ctx, fn)
}

func (c *cut) Read(ctx context.Context, fn func(*store.Tx) error) error {
	if c.lost.Load() {
		return errCut
	}
	return c.Store.Read(ctx, fn)
}

func TestS2_WhatIsRenewedWithoutTheStoreIsKeptAndComesToItLater(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		line := &cut{Store: s}
		dir := t.TempDir()
		registry := prometheus.NewRegistry()
		a, b := node(t, line, dir, func(o *Options) { o.Registerer = registry }), node(t, s, t.TempDir())
		for _, key := range []string{"renewed", "deleted", "untouched"} {
			must(t, a.Store(t.Context(), key, []byte("old")))
		}
		must(t, b.pass(t.Context()))
		line.lost.Store(true)
		start := time.Now()
		must(t, a.Store(t.Context(), "renewed", []byte("new")))
		must(t, a.Store(t.Context(), "first", []byte("new")))
		must(t, a.Delete(t.Context(), "deleted"))
		if err := a.Lock(t.Context(), "order"); err != nil {
			t.Errorf("no lock without the store: %v", err)
		}
		must(t, a.Unlock(t.Context(), "order"))
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
		if state := a.State(); state.Err == nil || state.Waiting != 3 {
			t.Errorf("the state is %+v", state)
		}
		const want = "# HELP evergate_cert_store_lost 1 while certificates are kept on this node only, because the store is lost.\n" +
			"# TYPE evergate_cert_store_lost gauge\nevergate_cert_store_lost 1\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "evergate_cert_store_lost"); err != nil {
			t.Error(err)
		}
		a.Close()

		// A restart, still without the store.
		a = node(t, line, dir)
		for key, want := range map[string]string{"renewed": "new", "first": "new", "untouched": "old", "deleted": ""} {
			if !has(a, key, want) {
				t.Errorf("%s is not %q after a restart without the store", key, want)
			}
		}
		a.Start()
		eventually(t, "the loss is noticed", func() bool { return a.State().Err != nil })
		line.lost.Store(false)
		eventually(t, "everything has come to the store", func() bool {
			return b.pass(t.Context()) == nil && has(b, "renewed", "new") && has(b, "first", "new") && has(b, "untouched", "old") && has(b, "deleted", "")
		})
		eventually(t, "the state says so", func() bool { return a.State().Err == nil && a.State().Waiting == 0 })
	})
}

func TestStorage_TheLaterOfTwoRenewalsWins(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	at := func(d time.Duration) func(*Options) {
		return func(o *Options) { o.Clock = clock.At(func() time.Time { return now.Add(d) }) }
	}
	for _, tt := range []struct {
		name    string
		a, b    time.Duration // when each node has renewed, without the store
		deletes bool          // b has deleted instead
		first   bool          // a is first to see the store again
		want    string
	}{
		{"the first to return is the later one", 2 * time.Hour, time.Hour, false, true, "of a"},
		{"the first to return is the earlier one", 2 * time.Hour, time.Hour, false, false, "of a"},
		{"the other one is the later one", time.Hour, 2 * time.Hour, false, true, "of b"},
		{"a later deletion", time.Hour, 2 * time.Hour, true, true, ""},
		{"a deletion before a renewal", 2 * time.Hour, time.Hour, true, false, "of a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openStore(t, "")
			lineA, lineB := &cut{Store: s}, &cut{Store: s}
			a, b := node(t, lineA, t.TempDir(), at(tt.a)), node(t, lineB, t.TempDir(), at(tt.b))
			must(t, a.Store(t.Context(), "before", []byte("x")))
			must(t, b.pass(t.Context()))
			lineA.lost.Store(true)
			lineB.lost.Store(true)
			must(t, a.Store(t.Context(), "x", []byte("of a")))
			if tt.deletes {
				b.disk.mu.Lock()
				must(t, b.disk.write(file{key: "x", value: []byte("of b"), at: now.UnixMilli()}))
				b.disk.mu.Unlock()
				must(t, b.Delete(t.Context(), "x"))
			} else {
				must(t, b.Store(t.Context(), "x", []byte("of b")))
			}
			lineA.lost.Store(false)
			lineB.lost.Store(false)
			order := []*Storage{b, a, b, a}
			if tt.first {
				order = []*Storage{a, b, a, b}
			}
			for _, n := range order {
				must(t, n.pass(t.Context()))
			}
			if !has(a, "x", tt.want) || !has(b, "x", tt.want) {
				one, _ := a.Load(t.Context(), "x")
				two, _ := b.Load(t.Context(), "x")
				t.Errorf("a has %q and b %q, want %q", one, two, tt.want)
			}
		})
	}
}

func TestStorage_AFolderThatWasThereBeforeIsTakenIn(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		dir := t.TempDir()
		old := &certmagic.FileStorage{Path: filepath.Join(dir, "certs")}
		long := time.Now().Add(-30 * 24 * time.Hour)
		for key, value := range map[string]string{"certificates/ca/x/x.crt": "cert", "certificates/ca/x/x.key": "key", "acme/ca/users/default/default.json": "{}", "local/root.key": "ours", "torn": ""} {
			must(t, old.Store(t.Context(), key, []byte(value)))
			must(t, os.Chtimes(old.Filename(key), long, long))
		}
		must(t, node(t, s, dir).pass(t.Context()))
		b := node(t, s, t.TempDir())
		must(t, b.pass(t.Context()))
		for key, want := range map[string]string{"certificates/ca/x/x.crt": "cert", "certificates/ca/x/x.key": "key", "acme/ca/users/default/default.json": "{}", "local/root.key": "", "torn": ""} {
			if !has(b, key, want) {
				t.Errorf("the other node has not %q for %s", want, key)
			}
		}
		// A second old folder does not undo what is newer.
		must(t, b.Store(t.Context(), "certificates/ca/x/x.crt", []byte("renewed")))
		third := t.TempDir()
		old.Path = filepath.Join(third, "certs")
		must(t, old.Store(t.Context(), "certificates/ca/x/x.crt", []byte("cert")))
		must(t, os.Chtimes(old.Filename("certificates/ca/x/x.crt"), long, long))
		c := node(t, s, third)
		must(t, c.pass(t.Context()))
		if !has(c, "certificates/ca/x/x.crt", "renewed") {
			t.Error("an old file has won")
		}
	})
}

func TestS2_EveryFormOfALostStore(t *testing.T) {
	real := storetest.Postgres(t)
	for name, mode := range map[string]storetest.Mode{"refused": storetest.Refuse, "hanging": storetest.Hang, "errors": storetest.Error} {
		t.Run(name, func(t *testing.T) {
			fault, url := storetest.NewFault(t, real)
			s := openStore(t, url)
			dir := t.TempDir()
			quick := func(o *Options) { o.Timeout = 200 * time.Millisecond }
			a := node(t, s, dir, quick)
			must(t, a.Store(t.Context(), name, []byte("before")))
			fault.Set(t, mode)
			start := time.Now()
			must(t, a.Store(t.Context(), name, []byte("without")))
			must(t, a.Store(t.Context(), name+" as well", []byte("without")))
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("storing took %v", took)
			}
			a.Close()
			restarted := node(t, s, dir, quick)
			start = time.Now()
			if !has(restarted, name, "without") || time.Since(start) > 50*time.Millisecond {
				t.Errorf("a start without the store has not what is on disk, or waited %v for it", time.Since(start))
			}
			fault.Set(t, storetest.Pass)
			restarted.Start()
			eventually(t, "the store has it", func() bool {
				f, found, err := table{s}.get(t.Context(), name+" as well")
				return err == nil && found && string(f.value) == "without"
			})
		})
	}
	t.Run("back, but empty", func(t *testing.T) {
		s := openStore(t, real)
		a, b := node(t, s, t.TempDir()), node(t, s, t.TempDir())
		must(t, a.Store(t.Context(), "x", []byte("kept")))
		must(t, b.pass(t.Context()))
		must(t, s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`DELETE FROM cert_file`)
			return err
		}))
		must(t, b.pass(t.Context()))
		must(t, a.pass(t.Context()))
		f, found, err := table{s}.get(t.Context(), "x")
		if err != nil || !found || string(f.value) != "kept" || !has(a, "x", "kept") || !has(b, "x", "kept") {
			t.Errorf("the store has %+v, %t, %v", f, found, err)
		}
	})
}

func TestStorage_DamageInTheStoreReachesNoDisk(t *testing.T) {
	s := openStore(t, "")
	dir := t.TempDir()
	a, b := node(t, s, dir), node(t, s, t.TempDir())
	must(t, a.Store(t.Context(), "x", []byte("good")))
	later := time.Now().Add(time.Hour).UnixMilli()
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		for _, row := range [][2]string{{"x", "not base64!"}, {"unknown", "!"}, {"../outside", "AAAA"}, {"/abs", "AAAA"}, {"local/root.key", "AAAA"}, {"fine", "AAAA"}} {
			if _, err := tx.Exec(`INSERT INTO cert_file (key, value, modified_at) VALUES ($1, $2, $3)
				ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified_at = excluded.modified_at`, row[0], row[1], later); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, b.pass(t.Context())) // which has no copy
	must(t, a.pass(t.Context()))
	if !has(a, "x", "good") || !has(a, "local/root.key", "") || !has(a, "unknown", "") {
		t.Error("the disk was changed")
	}
	must(t, b.pass(t.Context()))
	for _, n := range []*Storage{a, b} {
		if !has(n, "x", "good") || !has(n, "fine", "\x00\x00\x00") {
			t.Error("the other files did not come over, or the damaged row was not replaced by the copy")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "outside")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key led out of the folder: %v", err)
	}
}

func TestStorage_OldDeletionsAreForgotten(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		a := node(t, s, t.TempDir())
		for _, key := range []string{"old", "young", "kept"} {
			must(t, a.Store(t.Context(), key, []byte("x")))
		}
		must(t, errors.Join(a.Delete(t.Context(), "old"), a.Delete(t.Context(), "young")))
		must(t, s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE cert_file SET modified_at = $1 WHERE key <> 'young'`, tx.Now().Add(-tombstoneAge-time.Hour))
			return err
		}))
		must(t, a.table.prune(t.Context()))
		files, err := a.table.all(t.Context())
		if err != nil || len(files) != 2 {
			t.Errorf("the store has %v, %v", files, err)
		}
	})
}

var _ lease.Store = (*cut)(nil)
