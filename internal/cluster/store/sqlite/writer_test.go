package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// openTest opens a database with one table, note(id).
func openTest(t testing.TB) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)}, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func schema(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS store_identity (one SMALLINT NOT NULL PRIMARY KEY, id TEXT NOT NULL, created_at BIGINT NOT NULL);
		CREATE TABLE IF NOT EXISTS note (id BIGINT NOT NULL PRIMARY KEY)`)
	return err
}

func note(id int) func(dialect.Session) error {
	return func(s dialect.Session) error {
		_, err := s.SQL.ExecContext(s.Ctx, "INSERT INTO note (id) VALUES ($1)", id)
		return err
	}
}

// within is a context as the store gives to its engine.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	t.Cleanup(cancel)
	return ctx
}

func count(t testing.TB, db *DB) (n int) {
	t.Helper()
	if err := db.read.QueryRowContext(t.Context(), "SELECT count(*) FROM note").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// gather starts n changes while the writer is held in another one, so that they
// are in its queue together, and returns their errors once it goes on. The holder
// commits first, or with some of them, and its own error is not looked at.
func gather(t *testing.T, db *DB, n int, change func(i int) error) []error {
	t.Helper()
	inside, hold := make(chan struct{}), make(chan struct{})
	results := make(chan error, n+1)
	go func() {
		results <- db.Write(within(t, time.Minute), func(dialect.Session) error {
			close(inside)
			<-hold
			return nil
		})
	}()
	<-inside
	type outcome struct {
		i   int
		err error
	}
	outcomes := make(chan outcome, n)
	for i := range n {
		go func() { outcomes <- outcome{i, change(i)} }()
	}
	for len(db.writer.queue) < n {
		time.Sleep(time.Millisecond)
	}
	close(hold)
	<-results
	errs := make([]error, n)
	for range n {
		o := <-outcomes
		errs[o.i] = o.err
	}
	return errs
}

func TestWriter_ConcurrentChangesShareOneCommit(t *testing.T) {
	db := openTest(t)
	commits := 0
	commit := db.writer.commit
	db.writer.commit = func(tx *sql.Tx) error { commits++; return commit(tx) }
	for i, err := range gather(t, db, 50, func(i int) error { return db.Write(within(t, time.Minute), note(i)) }) {
		if err != nil {
			t.Errorf("change %d: %v", i, err)
		}
	}
	// The holder's batch takes changes in as long as its time is not over, so they
	// come in one batch, or two, or a few on a slow machine.
	if commits > 5 {
		t.Errorf("50 changes took %d commits", commits)
	}
	if n := count(t, db); n != 50 {
		t.Errorf("%d rows are there, want 50", n)
	}
}

func TestWriter_OneFaultyChangeDoesNotTouchTheOthers(t *testing.T) {
	db := openTest(t)
	faulty := errors.New("faulty")
	errs := gather(t, db, 9, func(i int) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v", p)
			}
		}()
		return db.Write(within(t, time.Minute), func(s dialect.Session) error {
			if err := note(i)(s); err != nil {
				return err
			}
			switch i % 3 {
			case 1:
				return faulty
			case 2:
				panic("panicked")
			}
			return nil
		})
	})
	for i, err := range errs {
		if (err == nil) != (i%3 == 0) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if n := count(t, db); n != 3 {
		t.Errorf("%d rows are there, want 3", n)
	}
}

func TestWriter_FailedCommitFailsItsWholeBatch(t *testing.T) {
	db := openTest(t)
	broken := errors.New("broken")
	db.writer.commit = func(tx *sql.Tx) error { return errors.Join(broken, tx.Rollback()) }
	for i, err := range gather(t, db, 5, func(i int) error { return db.Write(within(t, time.Minute), note(i)) }) {
		if !errors.Is(err, broken) {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows are there, want none", n)
	}
}

func TestWriter_CallerLeavesAtItsDeadline(t *testing.T) {
	db := openTest(t)
	inside, hold, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- db.Write(within(t, 20*time.Millisecond), func(s dialect.Session) error {
			close(inside)
			err := note(1)(s)
			<-hold
			return err
		})
	}()
	<-inside
	// Behind it nothing begins, so nothing is stored.
	if err := db.Write(within(t, 10*time.Millisecond), note(2)); !errors.Is(err, dialect.ErrUnavailable) {
		t.Errorf("the one that waits says %v, want ErrUnavailable", err)
	}
	close(hold)
	// The one inside may have been in time or not, but it is stored in either case.
	if err := <-done; err != nil && !errors.Is(err, dialect.ErrOutcomeUnknown) {
		t.Errorf("the one inside says %v, want ErrOutcomeUnknown", err)
	}
	if err := db.Write(within(t, time.Minute), note(3)); err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := db.read.QueryRowContext(t.Context(), "SELECT sum(id) FROM note").Scan(&sum); err != nil || sum != 1+3 {
		t.Errorf("the ids sum up to %d (%v), want 4", sum, err)
	}
}

func TestWriter_CallerLeavesADiskThatHangs(t *testing.T) {
	db := openTest(t)
	hanging, hold := make(chan struct{}), make(chan struct{})
	commit := db.writer.commit
	db.writer.commit = func(tx *sql.Tx) error {
		close(hanging)
		<-hold
		db.writer.commit = commit // the writer's own goroutine is here
		return commit(tx)
	}
	if err := db.Write(within(t, 20*time.Millisecond), note(1)); !errors.Is(err, dialect.ErrOutcomeUnknown) {
		t.Errorf("the one whose commit hangs says %v, want ErrOutcomeUnknown", err)
	}
	<-hanging
	if err := db.Write(within(t, 20*time.Millisecond), note(2)); !errors.Is(err, dialect.ErrUnavailable) {
		t.Errorf("the next one says %v, want ErrUnavailable", err)
	}
	close(hold)
	if err := db.Write(within(t, time.Minute), note(3)); err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := db.read.QueryRowContext(t.Context(), "SELECT sum(id) FROM note").Scan(&sum); err != nil || sum != 1+3 {
		t.Errorf("the ids sum up to %d (%v), want 4: the unknown one was stored, the other was not", sum, err)
	}
}

func TestWriter_EndOfATransactionIsTheStoresErrorForAllInIt(t *testing.T) {
	db := openTest(t)
	own := errors.New("a change's own error")
	errs := gather(t, db, 3, func(i int) error {
		return db.Write(within(t, time.Minute), func(s dialect.Session) error {
			if err := note(i)(s); err != nil || i != 1 {
				return err
			}
			// As SQLite does by itself on a full disk.
			_, err := s.SQL.ExecContext(s.Ctx, "ROLLBACK")
			return errors.Join(own, err)
		})
	})
	gone := 0
	for i, err := range errs {
		if errors.Is(err, own) && i != 1 {
			t.Errorf("change %d got its neighbour's error %v", i, err)
		}
		if errors.Is(err, dialect.ErrUnavailable) {
			gone++
		}
	}
	if n := count(t, db); n+gone != 3 || gone == 0 {
		t.Errorf("%d are stored, %d got an error of the store, want 3 in all: %v", n, gone, errs)
	}
	if err := db.Write(within(t, time.Minute), note(9)); err != nil {
		t.Errorf("the next batch: %v", err)
	}
}

func TestWriter_CheckpointsKeepTheLogSmall(t *testing.T) {
	db := openTest(t)
	for i := range 1500 { // 4 KiB pages, a few in each commit
		if err := db.Write(within(t, time.Minute), note(i)); err != nil {
			t.Fatal(err)
		}
	}
	var busy, pages, moved int
	if err := db.spare.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved); err != nil {
		t.Fatal(err)
	}
	if size := int64(pages) * 4096; size > 2*walSoft {
		t.Errorf("the log holds %d bytes after 1500 commits, want about %d", size, walSoft)
	}
}

func TestClassify_TellsWhatCallersDecideBy(t *testing.T) {
	if err := classify("x", sql.ErrNoRows); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no rows became %v", err)
	}
	var raised *sqlite.Error
	db := openTest(t)
	_, err := db.read.ExecContext(t.Context(), "SELECT nonsense FROM nowhere")
	var fault *dialect.Fault
	if !errors.As(err, &raised) || errors.As(classify("x", err), &fault) {
		t.Errorf("a mistake in a query became %v", classify("x", err))
	}
}
