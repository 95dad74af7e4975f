package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// errPanicked stands for a panic on its way to the caller; nobody sees it.
var errPanicked = errors.New("the change panicked")

// writer puts the changes of concurrent callers into one transaction and one
// fsync: a change that comes while another batch is being written waits for that
// batch and then shares the next one, so it takes two fsyncs at most and the disk
// is never asked more often than it can answer.
type writer struct {
	db    *sql.DB // one connection
	now   func() time.Time
	path  string
	log   *slog.Logger
	queue chan *job
	stage atomic.Int32 // what the goroutine is doing, for the error of who leaves

	commit func(*sql.Tx) error // (*sql.Tx).Commit; tests give it faults
	after  func()              // called after each commit

	quit    chan struct{}
	quitOne sync.Once
	done    chan struct{}

	mu     sync.Mutex
	broken error // an fsync failed: nothing is written again (W1)
}

// The stages of writer.
const (
	idle = iota
	locking
	executing
	committing
)

func newWriter(db *sql.DB, path string, now func() time.Time, log *slog.Logger, after func()) *writer {
	return &writer{
		db: db, path: path, now: now, log: log, after: after,
		queue: make(chan *job, queueSize), commit: (*sql.Tx).Commit,
		quit: make(chan struct{}), done: make(chan struct{}),
	}
}

// do runs fn in a transaction and returns when it is durable. Past ctx's deadline
// it returns at once if fn has not begun (nothing is stored), and else with
// ErrOutcomeUnknown. A ctx that is only cancelled changes nothing (W3); the caller
// gives every ctx a deadline.
func (w *writer) do(ctx context.Context, fn func(dialect.Session) error) error {
	if err := w.err(); err != nil {
		return err
	}
	j := newJob(ctx, fn)
	select {
	case w.queue <- j:
	case <-w.quit:
		return closed()
	case <-ctx.Done():
		return w.late(ctx)
	}
	select {
	case err := <-j.done:
		return j.outcome(err)
	case <-w.done:
		select {
		case err := <-j.done:
			return j.outcome(err)
		default:
			return closed()
		}
	case <-ctx.Done():
	}
	if j.withdraw() {
		return w.late(ctx)
	}
	// fn writes into the caller's variables, so it should end before the caller
	// goes on; on a disk that hangs it may not.
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case err := <-j.done:
		return j.outcome(err)
	case <-j.ran:
	case <-grace.C:
	}
	return &dialect.Fault{Kind: dialect.ErrOutcomeUnknown, Doing: "commit to " + w.path, Advice: adviceSlow, Err: ctx.Err()}
}

// outcome goes on with a panic of the function, or returns err.
func (j *job) outcome(err error) error {
	if j.panicked != nil {
		panic(j.panicked)
	}
	return err
}

// late says why a change did not get its turn in time.
func (w *writer) late(ctx context.Context) error {
	switch w.stage.Load() {
	case locking:
		return &dialect.Fault{Kind: dialect.ErrBusy, Doing: "wait for the lock of " + w.path, Advice: adviceBusy, Err: ctx.Err()}
	default:
		return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: "wait for earlier changes of " + w.path, Advice: adviceSlow, Err: ctx.Err()}
	}
}

func closed() error { return &dialect.Fault{Kind: dialect.ErrClosed} }

// err returns what broke the file for good.
func (w *writer) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// breakOff refuses all further writes when err says that an fsync failed.
func (w *writer) breakOff(err error) {
	if !errors.Is(err, dialect.ErrReadOnly) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = err
	}
}

// run serves the queue until stop; what is in the queue then is still written.
func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case j := <-w.queue:
			w.batch(j)
		case <-w.quit:
			for {
				select {
				case j := <-w.queue:
					w.batch(j)
				default:
					return
				}
			}
		}
	}
}

// stop ends run and waits for it.
func (w *writer) stop() {
	w.quitOne.Do(func() { close(w.quit) })
	<-w.done
}

// batch writes first, and what waits by then, in one transaction.
func (w *writer) batch(first *job) {
	defer w.stage.Store(idle)
	if err := w.err(); err != nil {
		first.done <- err
		return
	}
	w.stage.Store(locking)
	tx, err := w.db.BeginTx(context.Background(), nil) // waits busyTimeout for the lock
	if err != nil {
		w.refuse(first, classify("lock "+w.path, err))
		return
	}
	w.stage.Store(executing)
	began, err := w.execute(tx, first)
	if err != nil {
		_ = tx.Rollback() // SQLite has done so already; this frees the connection
		answer(began, err)
		return
	}
	w.stage.Store(committing)
	if err := classify("commit to "+w.path, w.commit(tx)); err != nil {
		w.breakOff(err)
		answer(began, err)
		return
	}
	answer(began, nil)
	w.after()
}

// refuse answers first and all who wait behind it: they would wait for the same
// lock, one after the other.
func (w *writer) refuse(first *job, err error) {
	first.done <- err
	for {
		select {
		case j := <-w.queue:
			j.done <- err
		default:
			return
		}
	}
}

// execute runs the jobs in savepoints of tx and returns those that await the
// commit. Jobs that failed by themselves are answered already. An error means that
// the whole transaction is gone, as when the disk is full.
func (w *writer) execute(tx *sql.Tx, first *job) (began []*job, err error) {
	started := time.Now()
	for j := first; j != nil; j = w.next(started, len(began)) {
		if !j.begin() {
			continue
		}
		failure, err := w.executeOne(tx, j)
		switch {
		case err != nil:
			return append(began, j), err
		case failure != nil:
			j.done <- failure
		default:
			began = append(began, j)
		}
	}
	return began, nil
}

// next returns another job for the batch, or nil when it is time to commit.
func (w *writer) next(started time.Time, n int) *job {
	if n >= batchSize || time.Since(started) > batchTime {
		return nil
	}
	select {
	case j := <-w.queue:
		return j
	default:
		return nil
	}
}

// executeOne runs one job. failure is its own error, after which the transaction
// is as before it; err is the end of the transaction.
func (w *writer) executeOne(tx *sql.Tx, j *job) (failure, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), j.limit)
	defer cancel()
	if _, err := tx.ExecContext(ctx, "SAVEPOINT job"); err != nil {
		close(j.ran)
		return nil, classify("write to "+w.path, err)
	}
	failure = j.run(w.session(ctx, tx))
	if failure != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO job"); err != nil {
			// SQLite undoes the whole transaction on a full disk, an I/O error or an
			// interrupt, and the savepoint with it.
			return failure, w.cause(failure, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "RELEASE job"); err != nil {
		return failure, classify("write to "+w.path, err)
	}
	return failure, nil
}

// cause is why a transaction is gone, from the failure of the job that was running
// and what came after it. The others of the batch hear it too, so it is never the
// job's own kind of error.
func (w *writer) cause(failure, after error) error {
	doing := "write to " + w.path
	for _, err := range []error{classify(doing, failure), classify(doing, after)} {
		var fault *dialect.Fault
		if errors.As(err, &fault) {
			w.breakOff(fault)
			return fault
		}
	}
	return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: doing, Advice: adviceDisk, Err: after}
}

func answer(jobs []*job, err error) {
	for _, j := range jobs {
		j.done <- err
	}
}
