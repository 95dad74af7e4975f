package certs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestStorage_LocksExcludeAndGiveUpWithTheirContext(t *testing.T) {
	s := newStorage(t.TempDir(), nil)
	if err := s.Lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.TryLock(t.Context(), "a"); ok {
		t.Error("locked twice")
	}
	if ok, _ := s.TryLock(t.Context(), "b"); !ok {
		t.Error("another name is not free")
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- s.Lock(ctx, "a") }()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ended with %v", err)
	}
	if err := s.Unlock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.TryLock(t.Context(), "a"); !ok {
		t.Error("not free after Unlock")
	}
}

func TestStorage_NotesOnTheOrderWhatTheDiskRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStorage(filepath.Join(file, "below"), nil) // where nothing can be made
	order := &attempt{}
	if err := s.Store(context.WithValue(t.Context(), attemptKey{}, order), "key", []byte("value")); err == nil || order.disk == nil {
		t.Errorf("error %v, noted %v", err, order.disk)
	}
}
