package certs

import (
	"context"
	"errors"
	"sync"

	"github.com/caddyserver/certmagic"
)

// storage is where certificates are kept: a folder of files, or what Options
// gave, with what could not be kept noted on the order.
type storage struct {
	certmagic.Storage
}

var _ certmagic.Storage = (*storage)(nil)

// newStorage keeps in given, or, when that is nil, in the folder dir.
func newStorage(dir string, given certmagic.Storage) *storage {
	if given == nil {
		given = &folder{FileStorage: certmagic.FileStorage{Path: dir}, locks: map[string]chan struct{}{}}
	}
	return &storage{Storage: given}
}

// TryLock takes the lock if it is free, for storages that can say so.
func (s *storage) TryLock(ctx context.Context, name string) (bool, error) {
	locker, ok := s.Storage.(certmagic.TryLocker)
	if !ok {
		return false, errors.ErrUnsupported
	}
	return locker.TryLock(ctx, name)
}

// Store saves value and notes on the order in ctx if it could not.
func (s *storage) Store(ctx context.Context, key string, value []byte) error {
	err := s.Storage.Store(ctx, key, value)
	if t := attemptOf(ctx); t != nil && err != nil {
		t.disk = err // certmagic tells it as text only
	}
	return err
}

// folder is certmagic's folder of files with locks in memory. Only one process
// at a time has the data_dir, so lock files would guard against nobody; and one
// left behind by a crash would hold up the first order after the start.
type folder struct {
	certmagic.FileStorage

	mu    sync.Mutex               // guards locks
	locks map[string]chan struct{} // one slot: full while held
}

func (f *folder) slot(name string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	slot := f.locks[name]
	if slot == nil {
		slot = make(chan struct{}, 1)
		f.locks[name] = slot
	}
	return slot
}

// Lock waits for the lock called name, at most as long as ctx.
func (f *folder) Lock(ctx context.Context, name string) error {
	select {
	case f.slot(name) <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TryLock takes the lock if it is free.
func (f *folder) TryLock(_ context.Context, name string) (bool, error) {
	select {
	case f.slot(name) <- struct{}{}:
		return true, nil
	default:
		return false, nil
	}
}

// Unlock gives the lock back. One that is not held stays so.
func (f *folder) Unlock(_ context.Context, name string) error {
	select {
	case <-f.slot(name):
	default:
	}
	return nil
}
