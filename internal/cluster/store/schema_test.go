package store_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/migrations"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// ownTables of the migration tool, which differ between dialects.
var ownTables = []string{"core_schema_version", "core_schema_lock", "sqlite_sequence"}

// lines returns the first column of a query.
func lines(t *testing.T, s *store.Store, query string) (all []string) {
	t.Helper()
	if err := s.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			all = append(all, line)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(line string) bool {
		table, _, _ := strings.Cut(line, " ")
		return slices.Contains(ownTables, table)
	})
	slices.Sort(all)
	return all
}

// The logical schema: a line per column with type and nullability, and per unique
// or other index with its columns. CHECKs are compared as text by the next test.
const (
	columnsSQLite = `SELECT m.name || ' ' || c.name || ' ' || lower(c.type) || CASE c."notnull" WHEN 1 THEN ' not null' ELSE '' END
		FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'`
	columnsPostgres = `SELECT table_name || ' ' || column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END
		FROM information_schema.columns WHERE table_schema = current_schema()`
	indexesSQLite = `SELECT m.name || ' ' || i."unique" || ' ' || i.partial || ' ' || (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
		FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table'`
	indexesPostgres = `SELECT t.relname || ' ' || i.indisunique::int || ' ' || (i.indpred IS NOT NULL)::int || ' ' ||
			(SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY k(num, n) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num)
		FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace WHERE s.nspname = current_schema()`
)

func TestSchema_IsTheSameInBothDialects(t *testing.T) {
	local := storetest.SQLite(t)
	remote := storetest.Open(t, store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t)})
	for what, queries := range map[string][2]string{
		"columns": {columnsSQLite, columnsPostgres},
		"indexes": {indexesSQLite, indexesPostgres},
	} {
		one, two := lines(t, local, queries[0]), lines(t, remote, queries[1])
		if len(one) == 0 || !slices.Equal(one, two) {
			t.Errorf("%s in SQLite:\n%s\nin PostgreSQL:\n%s", what, strings.Join(one, "\n"), strings.Join(two, "\n"))
		}
	}
	tables := lines(t, local, "SELECT name FROM sqlite_master WHERE type = 'table'")
	copied := slices.Sorted(slices.Values(store.Tables))
	if !slices.Equal(tables, copied) {
		t.Errorf("the tables are %v, and Copy knows %v", tables, copied)
	}
}

func TestSchema_HasTheSameStepsAndRulesInBothDialects(t *testing.T) {
	root := os.DirFS("migrations")
	names := func(dialect string) (all []string) {
		found, err := fs.Glob(root, dialect+"/core/*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			all = append(all, strings.TrimPrefix(name, dialect+"/"))
		}
		return all
	}
	checks := func(path string) (all []string) {
		text, err := fs.ReadFile(root, path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if _, check, found := strings.Cut(line, "CHECK"); found {
				all = append(all, strings.TrimSpace(check))
			}
		}
		return all
	}
	steps := names("sqlite")
	if !slices.Equal(steps, names("postgres")) {
		t.Fatalf("the steps are %v and %v", steps, names("postgres"))
	}
	for i, step := range steps {
		if !strings.HasPrefix(step, fmt.Sprintf("core/%04d_", i+1)) {
			t.Errorf("step %s is number %d", step, i+1)
		}
		if one, two := checks("sqlite/"+step), checks("postgres/"+step); !slices.Equal(one, two) {
			t.Errorf("%s: the rules are %v and %v", step, one, two)
		}
	}
	if int64(len(steps)) != migrations.Newest() {
		t.Errorf("the newest step is %d, want %d", migrations.Newest(), len(steps))
	}
}
