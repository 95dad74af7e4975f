package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

func testClaims(t *testing.T, o store.Options) {
	const rows = 100
	s := openWith(t, o)
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		for id := range int64(rows) {
			if err := insert(id, 0)(tx); err != nil {
				return err
			}
		}
		return nil
	}))
	claimed := make([][]int64, 8)
	parallel(t, len(claimed), func(worker int) error {
		for {
			var ids []int64
			if err := s.Write(t.Context(), func(tx *store.Tx) (err error) {
				ids, err = claim(tx, worker)
				return err
			}); err != nil {
				return err
			}
			if len(ids) == 0 {
				return nil
			}
			claimed[worker] = append(claimed[worker], ids...)
		}
	})
	all := slices.Concat(claimed...)
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) || len(all) != rows {
		t.Errorf("%d claims of %d rows: %v", len(all), rows, all)
	}
}

// claim takes up to three rows for worker.
func claim(tx *store.Tx, worker int) (ids []int64, err error) {
	rows, err := tx.Query("UPDATE probe SET n = $1 WHERE id IN (SELECT id FROM probe WHERE n = 0 ORDER BY id LIMIT 3"+
		tx.Dialect().SkipLocked()+") RETURNING id", worker+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func testFencing(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(1, 0))) // n is the last term
	for _, step := range []struct {
		term    int64
		changes int64
	}{{1, 1}, {3, 1}, {2, 0}, {3, 1}, {1, 0}, {4, 1}} {
		must(t, s.Write(t.Context(), func(tx *store.Tx) error {
			result, err := tx.Exec("UPDATE probe SET n = $1 WHERE id = 1 AND $1 >= n", step.term)
			if err != nil {
				return err
			}
			if changed, err := result.RowsAffected(); err != nil || changed != step.changes {
				t.Errorf("term %d changed %d rows (%v), want %d", step.term, changed, err, step.changes)
			}
			return nil
		}))
	}
}

// testCommitOrder polls "greater than the last one I saw" while others write.
func testCommitOrder(t *testing.T, o store.Options) {
	s := openWith(t, o)
	must(t, s.Write(t.Context(), insert(0, 0))) // row 0 is the head
	const writers, each = 6, 15
	done := make(chan struct{})
	go func() {
		defer close(done)
		parallel(t, writers, func(int) error {
			for range each {
				if err := s.Write(t.Context(), appendNext); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	last := int64(0)
	for finished := false; ; {
		select {
		case <-done:
			finished = true // and once more, for the last ones
		default:
		}
		for _, id := range after(t, s, last) {
			if id != last+1 {
				t.Fatalf("%d was seen after %d", id, last)
			}
			last = id
		}
		if finished {
			break
		}
	}
	if last != writers*each {
		t.Errorf("the last number is %d, want %d", last, writers*each)
	}
}

// appendNext takes the next number from the head and inserts a row with it.
func appendNext(tx *store.Tx) error {
	var next int64
	if err := tx.QueryRow("UPDATE probe SET n = n + 1 WHERE id = 0 RETURNING n").Scan(&next); err != nil {
		return err
	}
	return insert(next, 0)(tx)
}

// after returns the ids above last, in order.
func after(t *testing.T, s *store.Store, last int64) (ids []int64) {
	t.Helper()
	must(t, s.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query("SELECT id FROM probe WHERE id > $1 ORDER BY id", last)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return rows.Err()
	}))
	return ids
}

func testWake(t *testing.T, o store.Options) {
	s := openWith(t, o)
	wake, stop := s.Listen("levers")
	defer stop()
	other, stopOther := s.Listen("leases")
	defer stopOther()
	notify := func(channel string, err error) {
		t.Helper()
		got := s.Write(t.Context(), func(tx *store.Tx) error {
			tx.Notify(channel)
			return err
		})
		if !errors.Is(got, err) {
			t.Fatal(got)
		}
	}
	notify("levers", nil)
	waitWake(t, wake)
	notify("levers", errors.New("no"))
	notify("leases", nil)
	waitWake(t, other)
	// On PostgreSQL a listener may be woken once more for the first commit, by the
	// server, so there is nothing to assert.
	if o.URL == "" {
		select {
		case <-wake:
			t.Error("an undone transaction woke a listener")
		default:
		}
	}
}

func waitWake(t *testing.T, wake <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
		t.Fatal("nobody woke the listener")
	}
}

func testIdentity(t *testing.T, o store.Options) {
	s := Open(t, o)
	first, err := s.Identity(t.Context())
	must(t, err)
	must(t, s.Close())
	second, err := Open(t, o).Identity(t.Context())
	must(t, err)
	if first != second || first.Store == "" {
		t.Errorf("the identity was %+v and is %+v", first, second)
	}
	other, err := SQLite(t).Identity(t.Context())
	must(t, err)
	if other.Store == first.Store {
		t.Error("two stores have the same identity")
	}
}

func testNewerSchema(t *testing.T, o store.Options) {
	s := Open(t, o)
	must(t, s.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO core_schema_version (version_id, is_applied) VALUES (9999, " + yes(tx.Dialect()) + ")")
		return err
	}))
	must(t, s.Close())
	o.Log = Log(t)
	_, err := store.Open(t.Context(), o)
	if !errors.Is(err, store.ErrNewerSchema) || store.Advice(err) == "" {
		t.Errorf("Open says %v with the advice %q, want ErrNewerSchema and some", err, store.Advice(err))
	}
}

// yes is true in the migration tool's own table, which is not in portable SQL.
func yes(d store.Dialect) string {
	if d == store.Postgres {
		return "TRUE"
	}
	return "1"
}

func testOpenTogether(t *testing.T, o store.Options) {
	o.Log = Log(t)
	stores := make([]*store.Store, 4)
	parallel(t, len(stores), func(i int) (err error) {
		stores[i], err = store.Open(t.Context(), o)
		return err
	})
	ids := map[string]bool{}
	for _, s := range stores {
		WaitFound(t, s)
		id, err := s.Identity(t.Context())
		must(t, err)
		ids[id.Store] = true
		must(t, s.Close())
	}
	if len(ids) != 1 {
		t.Errorf("%d identities of one store", len(ids))
	}
}

func testClosed(t *testing.T, o store.Options) {
	s := Open(t, o)
	must(t, s.Close())
	must(t, s.Close())
	nothing := func(*store.Tx) error { return nil }
	for name, err := range map[string]error{
		"Write": s.Write(t.Context(), nothing),
		"Read":  s.Read(t.Context(), nothing),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s says %v, want ErrClosed", name, err)
		}
	}
}
