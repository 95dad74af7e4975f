package certs

import (
	"context"
	"sync"

	"github.com/caddyserver/certmagic"
)

// storage is certmagic's folder of files with locks in memory. Only one process
// at a time has the data_dir, so lock files would guard against nobody; and one
// left behind by a crash would hold up the first order after the start.
type storage struct {
	certmagic.FileStorage

	mu    sync.Mutex               // guards locks
	locks map[string]chan struct{} // one slot: full while held
}

var _ certmagic.Storage = (*storage)(nil)

func newStorage(dir string) *storage {
	return &storage{FileStorage: certmagic.FileStorage{Path: dir}, locks: map[string]chan struct{}{}}
}

func (s *storage) slot(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.locks[name]
	if slot == nil {
		slot = make(chan struct{}, 1)
		s.locks[name] = slot
	}
	return slot
}

// Lock waits for the lock called name, at most as long as ctx.
func (s *storage) Lock(ctx context.Context, name string) error {
	select {
	case s.slot(name) <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryLock takes the lock if it is free.
func (s *storage) TryLock(_ context.Context, name string) (bool, error) {
	select {
	case s.slot(name) <- struct{}{}:
		return true, nil
	default:
		return false, nil
	}
}

// Unlock gives the lock back. One that is not held stays so.
func (s *storage) Unlock(_ context.Context, name string) error {
	select {
	case <-s.slot(name):
	default:
	}
	return nil
}

// Store saves value and notes on the order in ctx if it could not.
func (s *storage) Store(ctx context.Context, key string, value []byte) error {
	err := s.FileStorage.Store(ctx, key, value)
	if t := attemptOf(ctx); t != nil && err != nil {
		t.disk = err // certmagic tells it as text only
	}
	return err
}
