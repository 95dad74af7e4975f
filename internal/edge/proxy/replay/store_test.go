package replay

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOpen_RemovesWhatACrashLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spill")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"body-123.spill", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("left: %v, %v; want only the file that is not ours", left, err)
	}
}

func TestOpen_MakesTheFolderPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "spill")
	if _, err := Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v; want mode 0700", info, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestStore_SpillFilesArePrivateAndHaveNoName(t *testing.T) {
	s := open(t, 0, 1<<20)
	f, err := s.create()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, err := os.Stat(f.Name()); !os.IsNotExist(err) {
		t.Errorf("the file still has a name: %v", err)
	}
}

func TestStore_ReportsAFailingDiskOncePerInterval(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	s, err := Open(Options{Disk: 1 << 20, Dir: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.failed(fs.ErrPermission)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines for five errors at once, want 1", n)
	}
	now = now.Add(logEvery)
	s.failed(fs.ErrPermission)
	if !strings.Contains(log.String(), "more_since_last_report=4") {
		t.Errorf("the next report does not tell of those before: %s", log.String())
	}
}

func TestStore_ALoweredBoundHoldsForNewBodies(t *testing.T) {
	s := open(t, 1<<20, 1<<20)
	data := pattern(10 << 10)
	var a, b Body
	a.Begin(s, bytes.NewReader(data), int64(len(data)), Limits{64 << 10, 64 << 10})
	if err := a.Prefetch(64 << 10); err != nil {
		t.Fatal(err)
	}
	s.Resize(0, 0)
	b.Begin(s, bytes.NewReader(data), int64(len(data)), Limits{64 << 10, 64 << 10})
	if _, err := io.ReadAll(b.NewReader(nil)); err != nil {
		t.Fatal(err)
	}
	if !a.Replayable() || b.Replayable() {
		t.Errorf("replayable: %v before, %v after; want true, false", a.Replayable(), b.Replayable())
	}
	a.Close(nil)
	b.Close(nil)
	if s.Usage() != (Usage{}) {
		t.Errorf("the store holds %+v", s.Usage())
	}
}

func TestBody_UsesNoMemoryOfItsOwnForSmallBodies(t *testing.T) {
	s := open(t, 1<<20, 0)
	data := pattern(1000)
	src := bytes.NewReader(data)
	var b Body
	allocs := testing.AllocsPerRun(200, func() {
		src.Reset(data)
		b.Begin(s, src, int64(len(data)), Limits{64 << 10, 64 << 10})
		if err := b.Prefetch(64 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, b.NewReader(nil)); err != nil {
			t.Fatal(err)
		}
		b.Close(nil)
	})
	if allocs > 2 { // the reader; now and then a pool is emptied
		t.Errorf("%v allocations for a small body", allocs)
	}
}
