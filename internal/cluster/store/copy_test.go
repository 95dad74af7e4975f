package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// fill puts rows into every table of s.
func fill(t *testing.T, s *store.Store) {
	t.Helper()
	for _, statement := range []string{
		"INSERT INTO setting (key, version, rev, id, value, actor, reason, origin_node, at, recorded_at) VALUES ('k', 1, 1, 'a', '{\"x\":\"ü\"}', 'ann', 'why', 'door-1', 1, 2)",
		"INSERT INTO setting (key, version, rev, id, value, actor, reason, origin_node, at, recorded_at) VALUES ('k', 2, 2, 'b', NULL, 'ann', 'why', 'door-1', 3, 4)",
		"UPDATE setting_head SET rev = 2",
		"INSERT INTO setting_due (id, key, kind, base_version, due_at, value, actor, reason, created_at, state, settled_at, note) VALUES ('d', 'k', 'revert', 1, 9, NULL, 'ann', 'why', 1, 'pending', NULL, '')",
		"INSERT INTO lease (name, holder, term, module, elected_at, expires_at) VALUES ('l', 'door-1', 7, 1, 1, 2)",
	} {
		if err := s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(statement)
			return err
		}); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 1234 { // more than one batch
			if err := put(fmt.Sprintf("file %04d", i))(tx); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// dump returns all rows of all tables as text.
func dump(t *testing.T, s *store.Store) (all []string) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		for _, table := range store.Tables {
			rows, err := tx.Query("SELECT * FROM " + table)
			if err != nil {
				return err
			}
			columns, err := rows.Columns()
			if err != nil {
				return err
			}
			for rows.Next() {
				row := make([]any, len(columns))
				into := make([]any, len(columns))
				for i := range row {
					into[i] = &row[i]
				}
				if err := rows.Scan(into...); err != nil {
					return err
				}
				all = append(all, fmt.Sprint(table, columns, row))
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func TestCopy_BringsEverythingToTheOtherEngineAndBack(t *testing.T) {
	from := storetest.SQLite(t)
	fill(t, from)
	want := dump(t, from)
	to := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t)})
	heard := map[string]int{}
	if err := store.Copy(t.Context(), from, to, func(table string, rows int) { heard[table] = rows }); err != nil {
		t.Fatal(err)
	}
	if heard["cert_file"] != 1234 || heard["setting"] != 2 {
		t.Errorf("the progress was %v", heard)
	}
	if got := dump(t, to); !slices.Equal(got, want) {
		t.Errorf("PostgreSQL has\n%v\nwant\n%v", got, want)
	}
	back := storetest.SQLite(t)
	if err := store.Copy(t.Context(), to, back, nil); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, back); !slices.Equal(got, want) {
		t.Errorf("SQLite has\n%v\nwant\n%v", got, want)
	}
	if err := store.Copy(t.Context(), from, to, nil); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second copy says %v, want ErrExists", err)
	}
	if got := dump(t, to); !slices.Equal(got, want) {
		t.Error("the refused copy changed something")
	}
}
