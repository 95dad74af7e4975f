package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// ErrOver says that a term has ended: whoever acted in it stops and changes
// nothing more.
var ErrOver = errors.New("the term is over")

// Term is one time in office. It is a value; copies speak of the same term.
type Term struct {
	Name   string // of the lease
	Holder string // the process that has it
	Number int64  // rises with every term of this name, from 1

	trust *trust // nil: a term that was never trusted
}

// Trusted reports whether the holder may still act at now, which must have a
// monotonic reading (time.Now). It is asked before each act; once false it
// stays so.
func (t Term) Trusted(now time.Time) bool { return t.trust != nil && t.trust.lasts(now) }

// Fence makes tx one that commits within the term or not at all: it returns
// ErrOver when the term has ended, and the caller returns that; otherwise nobody
// can be elected before tx ends. It is the first thing in tx, because it waits
// for a renewal under way. Other errors are the store's.
func (t Term) Fence(tx *store.Tx) error {
	if !t.Trusted(time.Now()) {
		return fmt.Errorf("lease %s, term %d: %w", t.Name, t.Number, ErrOver)
	}
	result, err := tx.Exec(`UPDATE lease SET term = term WHERE name = $1 AND holder = $2 AND term = $3`, t.Name, t.Holder, t.Number)
	if err != nil {
		return fmt.Errorf("fence lease %s: %w", t.Name, err)
	}
	found, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("fence lease %s: %w", t.Name, err)
	}
	if found == 0 {
		t.trust.end(ErrOver)
		return fmt.Errorf("lease %s, term %d: %w", t.Name, t.Number, ErrOver)
	}
	return nil
}

// trust is how long a term may be acted on. Its context ends when it does.
type trust struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex // guards the fields below
	until time.Time  // with a monotonic reading
	over  bool
	timer *time.Timer
}

// newTrust lasts until then, which has a monotonic reading.
func newTrust(until time.Time) *trust {
	t := &trust{until: until}
	t.ctx, t.cancel = context.WithCancelCause(context.Background())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(time.Until(until), t.expire)
	return t
}

func (t *trust) lasts(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.over && now.Before(t.until)
}

// extend makes it last until then, and reports whether it could: what has ended
// is not revived.
func (t *trust) extend(until time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.over || !now.Before(t.until) {
		return false
	}
	if until.After(t.until) {
		t.until = until
		t.timer.Reset(until.Sub(now))
	}
	return true
}

// end ends it for good. The first cause counts.
func (t *trust) end(cause error) {
	t.mu.Lock()
	t.over = true
	t.timer.Stop()
	t.mu.Unlock()
	t.cancel(cause)
}

func (t *trust) expire() {
	t.mu.Lock()
	extended := time.Now().Before(t.until) // while this waited for the lock
	t.mu.Unlock()
	if !extended {
		t.end(fmt.Errorf("%w: it could not be renewed in time", ErrOver))
	}
}
