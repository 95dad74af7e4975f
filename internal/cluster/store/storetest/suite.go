package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// Run holds an engine to what store promises on both. fresh returns the options
// of a new and empty database each time; the suite opens it, more than once where
// that is the point.
func Run(t *testing.T, fresh func(t testing.TB) store.Options) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, o store.Options)
	}{
		{"what Write stored, Read sees, and the next to open the store", testStored},
		{"a taken key is ErrUnique and undoes its transaction", testUnique},
		{"a value that the schema forbids is ErrCheck", testCheck},
		{"the first statement that fails ends the transaction, whatever the function returns", testSticky},
		{"no row is no failure", testNoRows},
		{"an error of the function undoes what it did", testUndone},
		{"a panic of the function reaches its caller and leaves the store usable", testPanic},
		{"W3: a cancelled caller does not cancel a write that has begun", testCancelled},
		{"a cancelled context begins nothing", testBeganNothing},
		{"Read sees one moment", testOneMoment},
		{"Read changes nothing", testReadOnly},
		{"bools, times and JSON are stored alike", testArguments},
		{"store time is in whole milliseconds and the same all through a transaction", testNow},
		{"parallel writers lose no update", testCounter},
		{"transactions that lock rows crosswise all pass", testCrosswise},
		{"8 workers claim each row once", testClaims},
		{"L3: a write of an older term changes nothing", testFencing},
		{"numbers from a locked row are seen in the order of commit, without a gap", testCommitOrder},
		{"a listener wakes up after the commit, and not after an undone one", testWake},
		{"a store keeps its identity, and another has another", testIdentity},
		{"a newer schema is refused at start", testNewerSchema},
		{"two may open a new database at once", testOpenTogether},
		{"after Close all is ErrClosed", testClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.test(t, fresh(t))
		})
	}
}

// openWith opens the store and makes a table of rows (id, n, note) in it.
func openWith(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	s := Open(t, o)
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("CREATE TABLE probe (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL CHECK (n >= 0), note TEXT)")
		return err
	}))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func insert(id, n int64) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO probe (id, n) VALUES ($1, $2)", id, n)
		return err
	}
}

// number reads one number.
func number(t testing.TB, s *store.Store, query string, args ...any) (n int64) {
	t.Helper()
	must(t, s.Read(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) }))
	return n
}

func testStored(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 7)))
	if n := number(t, s, "SELECT n FROM probe WHERE id = $1", 1); n != 7 {
		t.Errorf("read %d, want 7", n)
	}
	must(t, s.Close())
	if n := number(t, Open(t, o), "SELECT n FROM probe WHERE id = $1", 1); n != 7 {
		t.Errorf("read %d after opening again, want 7", n)
	}
}

func testUnique(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 1)))
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		return errors.Join(insert(2, 2)(tx), insert(1, 3)(tx))
	})
	if !errors.Is(err, store.ErrUnique) || store.Lost(err) {
		t.Errorf("the error is %v, lost %t; want ErrUnique and not lost", err, store.Lost(err))
	}
	if n := number(t, s, "SELECT count(*) FROM probe"); n != 1 {
		t.Errorf("%d rows are there, want 1", n)
	}
}

func testCheck(t *testing.T, o store.Options) {
	s := openWith(t, o)
	for _, n := range []any{-1, nil} {
		err := s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO probe (id, n) VALUES (1, $1)", n)
			return err
		})
		if !errors.Is(err, store.ErrCheck) {
			t.Errorf("n of %v: the error is %v, want ErrCheck", n, err)
		}
	}
}

func testSticky(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 1)))
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		_ = insert(1, 1)(tx)
		if err := insert(2, 2)(tx); !errors.Is(err, store.ErrUnique) {
			t.Errorf("the second statement says %v, want what the first said", err)
		}
		return nil
	})
	if !errors.Is(err, store.ErrUnique) {
		t.Errorf("Write says %v, want ErrUnique", err)
	}
	if n := number(t, s, "SELECT count(*) FROM probe"); n != 1 {
		t.Errorf("%d rows are there, want 1", n)
	}
}

func testNoRows(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		var n int64
		if err := tx.QueryRow("SELECT n FROM probe WHERE id = 1").Scan(&n); !store.NoRows(err) {
			return fmt.Errorf("want no rows, have %w", err)
		}
		return tx.QueryRow("INSERT INTO probe (id, n) VALUES (1, 5) RETURNING n").Scan(&n)
	}))
	if n := number(t, s, "SELECT n FROM probe WHERE id = 1"); n != 5 {
		t.Errorf("read %d, want 5", n)
	}
}

func testUndone(t *testing.T, o store.Options) {
	s := openWith(t, o)
	enough := errors.New("enough")
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		must(t, insert(1, 1)(tx))
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("Write says %v, want the function's own error", err)
	}
	if n := number(t, s, "SELECT count(*) FROM probe"); n != 0 {
		t.Errorf("%d rows are there, want none", n)
	}
}

func testPanic(t *testing.T, o store.Options) {
	s := openWith(t, o)
	func() {
		defer func() {
			if got := recover(); got != "no" {
				t.Errorf("recovered %v, want the function's panic", got)
			}
		}()
		_ = s.Write(t.Context(), func(tx *store.Tx) error {
			must(t, insert(1, 1)(tx))
			panic("no")
		})
	}()
	must(t, s.Write(t.Context(), insert(2, 2)))
	if n := number(t, s, "SELECT sum(id) FROM probe"); n != 2 {
		t.Errorf("the rows' ids sum up to %d, want 2", n)
	}
}

func testCancelled(t *testing.T, o store.Options) {
	s := openWith(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	must(t, s.Write(ctx, func(tx *store.Tx) error {
		cancel()
		if err := tx.Context().Err(); err != nil {
			return err
		}
		return insert(1, 1)(tx)
	}))
	if n := number(t, s, "SELECT count(*) FROM probe"); n != 1 {
		t.Errorf("%d rows are there, want 1", n)
	}
}

func testBeganNothing(t *testing.T, o store.Options) {
	s := openWith(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, insert(1, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Write says %v, want context.Canceled", err)
	}
	if n := number(t, s, "SELECT count(*) FROM probe"); n != 0 {
		t.Errorf("%d rows are there, want none", n)
	}
}

func testOneMoment(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 1)))
	must(t, s.Read(t.Context(), func(tx *store.Tx) error {
		var before, after int64
		if err := tx.QueryRow("SELECT count(*) FROM probe").Scan(&before); err != nil {
			return err
		}
		must(t, s.Write(t.Context(), insert(2, 2)))
		if err := tx.QueryRow("SELECT count(*) FROM probe").Scan(&after); err != nil {
			return err
		}
		if before != 1 || after != 1 {
			t.Errorf("saw %d rows and then %d, want 1 both times", before, after)
		}
		return nil
	}))
}

func testReadOnly(t *testing.T, o store.Options) {
	s := openWith(t, o)
	if err := s.Read(t.Context(), insert(1, 1)); err == nil {
		t.Error("a write in Read passed")
	}
	if n := number(t, s, "SELECT count(*) FROM probe"); n != 0 {
		t.Errorf("%d rows are there, want none", n)
	}
}

func testArguments(t *testing.T, o store.Options) {
	s := openWith(t, o)
	at := time.Date(2026, 11, 25, 3, 4, 5, 678_900_000, time.UTC)
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		var n int64
		var note *string
		for i, arg := range []struct {
			number any
			note   any
			want   int64
			text   string // "": NULL
		}{
			{true, json.RawMessage(`{"a":1}`), 1, `{"a":1}`},
			{false, json.RawMessage(nil), 0, ""},
			{at, "ü", at.UnixMilli(), "ü"},
		} {
			if err := tx.QueryRow("INSERT INTO probe (id, n, note) VALUES ($1, $2, $3) RETURNING n, note", i, arg.number, arg.note).Scan(&n, &note); err != nil {
				return err
			}
			if n != arg.want || (note == nil) != (arg.text == "") || note != nil && *note != arg.text {
				t.Errorf("%v and %v came back as %d and %v", arg.number, arg.note, n, note)
			}
		}
		return nil
	}))
}

func testNow(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		if now := tx.Now(); now.Location() != time.UTC || now != now.Truncate(time.Millisecond) || time.Since(now).Abs() > time.Minute {
			t.Errorf("the time is %v", now)
		}
		return nil
	}))
}

func testCounter(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 0)))
	const writers, each = 8, 20
	parallel(t, writers, func(int) error {
		for range each {
			if err := s.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec("UPDATE probe SET n = n + 1 WHERE id = 1")
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if n := number(t, s, "SELECT n FROM probe WHERE id = 1"); n != writers*each {
		t.Errorf("the counter is at %d, want %d", n, writers*each)
	}
}

func testCrosswise(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 0)))
	must(t, s.Write(t.Context(), insert(2, 0)))
	parallel(t, 2, func(i int) error { // PostgreSQL takes a second to notice each deadlock
		order := []int{1, 2}
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for range 3 {
			if err := s.Write(t.Context(), func(tx *store.Tx) error {
				for _, id := range order {
					if _, err := tx.Exec("UPDATE probe SET n = n + 1 WHERE id = $1", id); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if n := number(t, s, "SELECT sum(n) FROM probe"); n != 12 {
		t.Errorf("the counters sum up to %d, want 12", n)
	}
}

// parallel runs n of f at once and fails with their errors.
func parallel(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = f(i) })
	}
	group.Wait()
	must(t, errors.Join(errs...))
}
