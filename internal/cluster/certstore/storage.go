package certstore

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/lease"
)

const (
	defaultPoll    = 5 * time.Second
	defaultTimeout = 2 * time.Second
	defaultLockTTL = 15 * time.Second
)

// Options are what a storage needs.
type Options struct {
	Store   lease.Store   // the cluster's store
	Dir     string        // made (0700) when something is to be kept
	Holder  string        // this process (lease.NewHolder)
	Poll    time.Duration // between two passes; 0: 5 s
	Timeout time.Duration // how long a caller waits for the store before it counts as lost; 0: 2 s
	LockTTL time.Duration // after which the lock of a node that died is free; 0: 15 s
	Sole    bool          // no other process can reach the store: locks found at the start are of the dead
	May     func() bool   // whether the store is there and the one to trust; nil: always
	Log     *slog.Logger  // nil: slog's default
	Clock   clock.Clock

	Registerer prometheus.Registerer // nil: metrics are not shown

	step func(string) error // for tests; see disk
}

// State is what the status shows of the storage.
type State struct {
	Waiting int       // changes made by this process, or deletions, that the store has not yet
	Err     error     // why the store could not be asked; nil: it was there
	Since   time.Time // when Err came or went; zero: it was there from the start
	Disk    error     // what the disk could not do for the store; nil: nothing
}

// Storage is certmagic's storage. Its methods are safe for concurrent use.
type Storage struct {
	o     Options
	disk  *disk
	table table
	locks *locks
	log   *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	kick   chan struct{} // asks for a pass soon

	passing sync.Mutex // one pass at a time
	damaged sync.Map   // keys of rows that have been reported
	mu      sync.Mutex // guards state
	state   State
}

var (
	_ certmagic.Storage   = (*Storage)(nil)
	_ certmagic.TryLocker = (*Storage)(nil)
)

// New returns a storage that reads the disk and starts nothing.
func New(o Options) *Storage {
	o.Poll = cmp.Or(o.Poll, defaultPoll)
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.LockTTL = cmp.Or(o.LockTTL, defaultLockTTL)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.May == nil {
		o.May = func() bool { return true }
	}
	s := &Storage{o: o, log: o.Log, disk: newDisk(o.Dir, o.Log, o.step), table: table{o.Store}, kick: make(chan struct{}, 1)}
	s.locks = newLocks(s)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.register(o.Registerer)
	return s
}

// Start begins to compare disk and store, until Close.
func (s *Storage) Start() { s.tasks.Go(s.compare) }

// Close ends that and waits for it, and gives back the locks that are held. The
// disk can still be read and written. It may be called twice.
func (s *Storage) Close() {
	s.cancel()
	s.tasks.Wait()
	s.locks.close()
}

// State returns how things were at the last look.
func (s *Storage) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Waiting = s.disk.waiting()
	return state
}

// Store saves value under key. It returns when value is durable on this node's
// disk, and in the store unless that is lost; then a later pass takes it there.
// Errors are the disk's.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := s.disk.put(key, value, s.o.Clock.Now())
	if err != nil || s.private(key) {
		return err
	}
	s.send(ctx, f)
	return nil
}

// Load returns the value of key, from disk if it is there. Errors:
// fs.ErrNotExist, or the disk's.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, err := s.disk.get(key)
	if errors.Is(err, fs.ErrNotExist) && s.fetch(ctx, key) {
		f, err = s.disk.get(key)
	}
	return f.value, err
}

// Delete removes key and everything below it, as Store saves. A key that does not
// exist is no error.
func (s *Storage) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.private(key) {
		return s.disk.remove(key)
	}
	// What only the store has is to be deleted as well.
	below := s.below(ctx, key)
	gone, err := s.disk.bury(key, below, s.o.Clock.Now())
	if err != nil {
		return err
	}
	for _, f := range gone {
		s.send(ctx, f)
	}
	return nil
}

// Exists reports whether key is that of a file or of a folder.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// List returns the keys below path, folders included, in order; with recursive
// all of them, otherwise the next level. Errors: fs.ErrNotExist.
func (s *Storage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	if path != "" {
		if err := checkKey(path); err != nil {
			return nil, err
		}
	}
	return s.disk.list(ctx, path, recursive)
}

// Stat returns what is known of key, a file or a folder. Errors: fs.ErrNotExist,
// or the disk's.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	if err := checkKey(key); err != nil {
		return certmagic.KeyInfo{}, err
	}
	info, err := s.disk.stat(key)
	if errors.Is(err, fs.ErrNotExist) && s.fetch(ctx, key) {
		info, err = s.disk.stat(key)
	}
	return info, err
}

// Lock waits until the lock called name is this caller's, and takes in what the
// others have done before. Errors: that of ctx.
func (s *Storage) Lock(ctx context.Context, name string) error {
	if err := s.locks.lock(ctx, name); err != nil {
		return err
	}
	s.catchUp(ctx)
	return nil
}

// TryLock takes the lock if it is free. Errors: that of ctx.
func (s *Storage) TryLock(ctx context.Context, name string) (bool, error) {
	got, err := s.locks.try(ctx, name)
	if got {
		s.catchUp(ctx)
	}
	return got, err
}

// Unlock gives the lock back. One that is not held stays so.
func (s *Storage) Unlock(ctx context.Context, name string) error {
	s.locks.unlock(ctx, name)
	return nil
}

// private reports whether key stays on this node; see the package's comment.
func (s *Storage) private(key string) bool {
	first, _, _ := strings.Cut(key, "/")
	return first == "local" || first == "locks" || strings.HasPrefix(first, "rw_test_")
}
