package setting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saver writes the last-good file: after each change, several changes at once
// where they come faster than the disk. Its methods are safe for concurrent use.
type saver struct {
	service *Service
	asked   chan struct{}

	writing sync.Mutex // one at a time

	mu      sync.Mutex // guards the fields below
	wanted  int64      // how often a save was asked for
	saved   int64      // of those, what is on the disk
	again   chan struct{}
	err     error     // of the last write
	written time.Time // the last good one
}

func newSaver(s *Service) *saver {
	return &saver{service: s, asked: make(chan struct{}, 1), again: make(chan struct{})}
}

// ask has the file written soon.
func (w *saver) ask() {
	w.mu.Lock()
	w.wanted++
	w.mu.Unlock()
	select {
	case w.asked <- struct{}{}:
	default:
	}
}

// wait waits until everything that was asked for until now is on the disk, or
// could not be written, limit at most.
func (w *saver) wait(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	w.mu.Lock()
	until := w.wanted
	for w.saved < until && w.err == nil {
		again := w.again
		w.mu.Unlock()
		select {
		case <-again:
		case <-timer.C:
			return
		}
		w.mu.Lock()
	}
	w.mu.Unlock()
}

// run writes when it is asked to, and tries again a second after a failure.
func (w *saver) run(ctx context.Context) {
	for {
		var retry <-chan time.Time
		if _, err := w.state(); err != nil {
			retry = time.After(time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.asked:
		case <-retry:
		}
		w.save()
	}
}

// save writes the file.
func (w *saver) save() {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.mu.Lock()
	until := w.wanted
	w.mu.Unlock()
	s := w.service
	now := s.o.Clock.Now()
	s.mu.Lock()
	good := s.book.snapshot(s.o.Node, now)
	s.mu.Unlock()
	err := good.write(s.o.Dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.err == nil {
		s.log.Error("the settings on this node's disk are not up to date", "error", err)
	}
	w.err = err
	if err == nil {
		w.saved, w.written = until, now
	}
	close(w.again)
	w.again = make(chan struct{})
}

// state returns when the file was written last, and why it is not up to date.
func (w *saver) state() (written time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written, w.err
}

// putAside keeps a damaged last-good file under another name, for whoever wants to
// look into it. Only the last one is kept.
func putAside(dir string, now time.Time) (as string, err error) {
	as = filepath.Join(dir, LastGoodName+".damaged")
	if err := os.Rename(filepath.Join(dir, LastGoodName), as); err != nil {
		return "", fmt.Errorf("put it aside: %w", err)
	}
	return as, errors.Join(os.Chtimes(as, now, now))
}
