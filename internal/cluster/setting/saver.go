package setting

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// errLate says that a save took longer than somebody would wait.
var errLate = errors.New("the last-good settings are not on the disk yet")

// saver writes the last-good file when it is asked to: once for all who asked while
// it wrote. Its methods are safe for concurrent use.
type saver struct {
	write func() error
	pause time.Duration // before a write, for more to come

	asked chan struct{}
	turn  sync.Mutex // one write at a time

	mu      sync.Mutex // guards the fields below
	wanted  int64      // how often a save was asked for
	tried   int64      // of those, what the last try covered
	again   chan struct{}
	err     error     // of the last try
	written time.Time // the last good one
}

func newSaver(write func() error, pause time.Duration) *saver {
	return &saver{write: write, pause: pause, asked: make(chan struct{}, 1), again: make(chan struct{})}
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

// wait returns when everything that was asked for until now is on the disk, with the
// error of that try, or errLate after limit.
func (w *saver) wait(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.wanted
	for w.tried < until {
		again := w.again
		w.mu.Unlock()
		select {
		case <-again:
			w.mu.Lock()
		case <-timer.C:
			w.mu.Lock()
			return errLate
		}
	}
	return w.err
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
			clock.Sleep(ctx, w.pause)
		case <-retry:
		}
		w.save()
	}
}

// save writes the file now.
func (w *saver) save() {
	w.turn.Lock()
	defer w.turn.Unlock()
	w.mu.Lock()
	until := w.wanted
	w.mu.Unlock()
	err := w.write()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried, w.err = until, err
	if err == nil {
		w.written = time.Now()
	}
	close(w.again)
	w.again = make(chan struct{})
}

// behind reports whether something was asked for that is not on the disk.
func (w *saver) behind() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err != nil || w.tried < w.wanted
}

// state returns when the file was written last, zero: not yet; and why it is not up
// to date.
func (w *saver) state() (written time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written, w.err
}
