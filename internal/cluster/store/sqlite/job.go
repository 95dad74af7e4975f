package sqlite

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// job is one change on its way into a batch.
type job struct {
	fn    func(dialect.Session) error
	limit time.Duration // for its statements
	state atomic.Int32
	done  chan error // gets the outcome once it is durable, or failed
	ran   chan struct{}

	panicked any // what fn panicked with; to go on in the caller's goroutine
}

// The states of a job: from waiting to exactly one of the others.
const (
	waiting = iota
	running
	withdrawn // its caller left before it began
)

// newJob gives the statements of fn jobLimit, and more when the caller has it. Not
// less: SQLite undoes the whole batch with a statement that is interrupted, and a
// neighbour in a hurry must not do that to the others.
func newJob(ctx context.Context, fn func(dialect.Session) error) *job {
	limit := jobLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(limit, time.Until(deadline))
	}
	return &job{fn: fn, limit: limit, done: make(chan error, 1), ran: make(chan struct{})}
}

// begin reports whether the job may run; it may not if its caller has left.
func (j *job) begin() bool { return j.state.CompareAndSwap(waiting, running) }

// withdraw reports whether the job has not begun and never will.
func (j *job) withdraw() bool { return j.state.CompareAndSwap(waiting, withdrawn) }

// run calls the function and keeps a panic of it for the caller: one faulty
// change must not take the others of its batch with it.
func (j *job) run(session dialect.Session) (err error) {
	defer close(j.ran)
	defer func() {
		if j.panicked = recover(); j.panicked != nil {
			err = errPanicked
		}
	}()
	return j.fn(session)
}

// session gives one job its own deadline in the batch's transaction.
func (w *writer) session(ctx context.Context, sql dialect.Querier) dialect.Session {
	return dialect.Session{Ctx: ctx, SQL: sql, Now: w.now().UTC().Truncate(time.Millisecond)}
}
