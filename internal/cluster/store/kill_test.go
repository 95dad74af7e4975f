package store_test

import (
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// TestKill_LosesNothingThatWasAcknowledged does what issue 3 asks for 200 times
// with EVERGATE_KILLS=200.
func TestKill_LosesNothingThatWasAcknowledged(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		storetest.Kill(t, store.Options{Dir: t.TempDir()}, storetest.Kills(t, 20))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		storetest.Kill(t, store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t)}, storetest.Kills(t, 8))
	})
}
