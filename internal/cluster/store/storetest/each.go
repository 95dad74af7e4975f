package storetest

import (
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
)

// Each runs a test of a package above on both engines, each time on a new and
// empty store. The part on PostgreSQL is skipped where there is none.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		test(t, Open(t, store.Options{Dir: t.TempDir(), URL: Postgres(t)}))
	})
}
