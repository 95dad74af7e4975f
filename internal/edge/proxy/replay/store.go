// Package replay keeps request bodies until no attempt can need them any more
// (guide, section 3.2). A Body is teed while it streams: its bytes go to the
// server and into the buffer at once, first into memory, then to disk. When
// neither has room, the body streams on, what was kept is freed, and the
// request can no longer be repeated; it never fails because of that.
package replay

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	spillPrefix = "body-" // with spillSuffix, names that Open may remove as leftovers
	spillSuffix = ".spill"
	logEvery    = time.Minute // how often a failing disk is reported
)

// Options say where bodies may be kept.
type Options struct {
	Memory int64  // bytes of memory, over all bodies
	Disk   int64  // bytes of disk, over all bodies
	Dir    string // of the spill files; made (0700) when missing
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Store is the memory and the disk shared by all bodies. Safe for concurrent use.
type Store struct {
	dir string
	log *slog.Logger
	now func() time.Time

	memory, disk quota
	diskErrors   atomic.Int64

	mu         sync.Mutex // guards the fields below
	logged     time.Time
	suppressed int64
}

// Usage is what a Store holds now.
type Usage struct {
	Memory, Disk int64 // bytes
	DiskErrors   int64 // since Open
}

// Open returns a store over o.Dir, from which it removes what a crash may have
// left there. An error says that the folder cannot be used.
func Open(o Options) (*Store, error) {
	s := &Store{dir: o.Dir, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.Resize(o.Memory, o.Disk)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for kept bodies: %w", err)
	}
	entries, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder for kept bodies: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, spillPrefix) && strings.HasSuffix(name, spillSuffix) {
			if err := os.Remove(filepath.Join(o.Dir, name)); err != nil && !os.IsNotExist(err) {
				return nil, fmt.Errorf("remove a leftover body: %w", err)
			}
		}
	}
	return s, nil
}

// Resize sets new bounds. What is over a lowered bound is freed as its requests end.
func (s *Store) Resize(memory, disk int64) {
	s.memory.limit.Store(memory)
	s.disk.limit.Store(disk)
}

// Usage is what the store holds now.
func (s *Store) Usage() Usage {
	return Usage{Memory: s.memory.used.Load(), Disk: s.disk.used.Load(), DiskErrors: s.diskErrors.Load()}
}

// create opens a spill file that has no name any more: it is gone when it is
// closed, or when the process dies.
func (s *Store) create() (*os.File, error) {
	f, err := os.CreateTemp(s.dir, spillPrefix+"*"+spillSuffix) // mode 0600
	if err != nil {
		return nil, fmt.Errorf("create a spill file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("unlink a spill file: %w", err)
	}
	return f, nil
}

// failed reports a disk error, at most once per logEvery: a full disk would
// otherwise fill the log as well.
func (s *Store) failed(err error) {
	s.diskErrors.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.logged.IsZero() && now.Sub(s.logged) < logEvery {
		s.suppressed++
		return
	}
	s.log.Warn("request bodies cannot be kept on disk: large requests go on, but are not retried",
		"error", err, "folder", s.dir, "more_since_last_report", s.suppressed)
	s.logged, s.suppressed = now, 0
}

// quota is a number of bytes that can be taken and given back.
type quota struct{ limit, used atomic.Int64 }

// take reports whether there was room for n more, and if so takes it.
func (q *quota) take(n int64) bool {
	for {
		used := q.used.Load()
		if used+n > q.limit.Load() {
			return false
		}
		if q.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (q *quota) give(n int64) { q.used.Add(-n) }
