package certstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/evergate/evergate/internal/cluster/lease"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

var quiet = slog.New(slog.DiscardHandler)

func openStore(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), URL: url, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// node returns a storage that ends with the test. Passes are made by Start,
// Lock, or the test.
func node(t *testing.T, s lease.Store, dir string, change ...func(*Options)) *Storage {
	t.Helper()
	o := Options{Store: s, Dir: filepath.Join(dir, "certs"), Holder: lease.NewHolder("n"), Poll: 50 * time.Millisecond, Log: quiet}
	for _, c := range change {
		c(&o)
	}
	n := New(o)
	t.Cleanup(n.Close)
	return n
}

// engines calls fn with a function that opens both databases.
func engines(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, openStore(t, "")) })
	t.Run("postgres", func(t *testing.T) { fn(t, openStore(t, storetest.Postgres(t))) })
}

// eventually waits for the truth of something, with a deadline.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

// has reports whether key has value on s, and "" means that there is no such key.
func has(s *Storage, key, value string) bool {
	got, err := s.Load(context.Background(), key)
	if value == "" {
		return errors.Is(err, fs.ErrNotExist)
	}
	return err == nil && string(got) == value
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// conform holds s against the contract in the comments of certmagic.Storage.
func conform(t *testing.T, s certmagic.Storage) {
	ctx := t.Context()
	const cert, key, other = "certificates/ca/one.test/one.test.crt", "certificates/ca/one.test/one.test.key", "certificates/ca/one.test.x/x.crt"
	for _, missing := range []string{"certificates", cert} {
		if _, err := s.Load(ctx, missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load of a key that is not there: %v", err)
		}
		if _, err := s.Stat(ctx, missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat of a key that is not there: %v", err)
		}
		if _, err := s.List(ctx, missing, true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("List of a key that is not there: %v", err)
		}
		if s.Exists(ctx, missing) {
			t.Error("a key that is not there exists")
		}
		if err := s.Delete(ctx, missing); err != nil {
			t.Errorf("Delete of a key that is not there: %v", err)
		}
	}
	for _, k := range []string{cert, key, other} {
		must(t, s.Store(ctx, k, []byte("first")))
		must(t, s.Store(ctx, k, []byte("of "+k)))
		got, err := s.Load(ctx, k)
		if err != nil || string(got) != "of "+k {
			t.Errorf("Load gave %q, %v", got, err)
		}
		info, err := s.Stat(ctx, k)
		if err != nil || info.Key != k || info.Size != int64(len("of "+k)) || !info.IsTerminal || time.Since(info.Modified).Abs() > time.Minute {
			t.Errorf("Stat gave %+v, %v", info, err)
		}
	}
	must(t, s.Store(ctx, "binary", []byte{0, 255, '\n'}))
	if got, err := s.Load(ctx, "binary"); err != nil || !bytes.Equal(got, []byte{0, 255, '\n'}) {
		t.Errorf("bytes came back as %q, %v", got, err)
	}
	if _, err := s.Load(ctx, "certificates/ca"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of a folder: %v", err)
	}
	if info, err := s.Stat(ctx, "certificates/ca"); err != nil || info.IsTerminal || !s.Exists(ctx, "certificates/ca") {
		t.Errorf("a folder: %+v, %v", info, err)
	}
	if s.Exists(ctx, cert+"/below") {
		t.Error("something below a file exists")
	}
	for _, tt := range []struct {
		path      string
		recursive bool
		want      string
	}{
		{"certificates/ca", false, "certificates/ca/one.test certificates/ca/one.test.x"},
		{"certificates/ca", true, "certificates/ca/one.test " + cert + " " + key + " certificates/ca/one.test.x " + other},
		{"certificates/ca/one.test", false, cert + " " + key},
		{"", false, "binary certificates"},
	} {
		got, err := s.List(ctx, tt.path, tt.recursive)
		slices.Sort(got)
		want := strings.Fields(tt.want)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q, %t) gave %q, %v, want %q", tt.path, tt.recursive, got, err, want)
		}
	}
	must(t, s.Delete(ctx, "certificates/ca/one.test"))
	if s.Exists(ctx, cert) || s.Exists(ctx, "certificates/ca/one.test") || !s.Exists(ctx, other) {
		t.Error("deleting a folder deleted too little or too much")
	}
	must(t, s.Store(ctx, cert, []byte("again")))
	if got, err := s.Load(ctx, cert); err != nil || string(got) != "again" {
		t.Errorf("stored after deleting: %q, %v", got, err)
	}
	for _, bad := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\x00b", strings.Repeat("x", mostKey+1)} {
		if err := s.Store(ctx, bad, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("stored under %q: %v", bad, err)
		}
		if s.Exists(ctx, bad) {
			t.Errorf("%q exists", bad)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range []error{s.Store(gone, "late", nil), s.Delete(gone, other), s.Lock(gone, "late")} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	}
}

func TestStorage_KeepsCertmagicsContract(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		n := node(t, s, t.TempDir())
		conform(t, n)
		if state := n.State(); state.Err != nil || state.Waiting != 0 {
			t.Errorf("the state is %+v", state)
		}
	})
	t.Run("without the store", func(t *testing.T) {
		n := node(t, openStore(t, ""), t.TempDir(), func(o *Options) { o.May = func() bool { return false } })
		conform(t, n)
		if state := n.State(); !errors.Is(state.Err, errNotTrusted) || state.Waiting == 0 {
			t.Errorf("the state is %+v", state)
		}
	})
}

func TestStorage_ConcurrentWritersLeaveOneWholeValueEverywhere(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		a, b := node(t, s, t.TempDir()), node(t, s, t.TempDir())
		a.Start()
		b.Start()
		var writers sync.WaitGroup
		for i := range 8 {
			writers.Go(func() {
				for range 5 {
					value := strings.Repeat(fmt.Sprint(i), 5000)
					if err := []*Storage{a, b}[i%2].Store(t.Context(), "shared", []byte(value)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		eventually(t, "both nodes have the same", func() bool {
			one, err1 := a.Load(t.Context(), "shared")
			two, err2 := b.Load(t.Context(), "shared")
			return err1 == nil && err2 == nil && bytes.Equal(one, two)
		})
		if value, _ := a.Load(t.Context(), "shared"); strings.Trim(string(value), string(value[:1])) != "" || len(value) != 5000 {
			t.Errorf("a mixture of values: %q", value)
		}
	})
}

func TestStorage_FilesAreForTheirUserOnlyAndPrivateOnesStayHere(t *testing.T) {
	s := openStore(t, "")
	dir := t.TempDir()
	n := node(t, s, dir)
	for _, key := range []string{"certificates/a.key", "rw_test_17", "local/root.key", "locks/x.lock"} {
		must(t, n.Store(t.Context(), key, []byte("secret")))
	}
	must(t, n.Delete(t.Context(), "rw_test_17"))
	must(t, n.pass(t.Context()))
	err := filepath.WalkDir(filepath.Join(dir, "certs"), func(path string, entry fs.DirEntry, err error) error {
		must(t, err)
		info, err := entry.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	must(t, err)
	files, err := table{s}.all(t.Context())
	if err != nil || len(files) != 1 || files[0].key != "certificates/a.key" {
		t.Errorf("the store has %v, %v", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "certs", tempPrefix+"123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := n.List(t.Context(), "", false); err != nil || strings.Contains(strings.Join(keys, " "), tempPrefix) {
		t.Errorf("a file of a crash is listed: %v, %v", keys, err)
	}
	must(t, n.pass(t.Context()))
	if _, err := os.Stat(filepath.Join(dir, "certs", tempPrefix+"123")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of a crash is still there: %v", err)
	}
}
