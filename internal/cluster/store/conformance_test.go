package store_test

import (
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// engines are what every test of this package runs on that is about both.
var engines = map[string]func(t testing.TB) store.Options{
	"SQLite": func(t testing.TB) store.Options {
		return store.Options{Dir: t.TempDir()}
	},
	"PostgreSQL": func(t testing.TB) store.Options {
		return store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t)}
	},
	"PostgreSQL polled only": func(t testing.TB) store.Options {
		return store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t), PollOnly: true}
	},
}

func TestEngines_KeepTheStoresPromises(t *testing.T) {
	for name, fresh := range engines {
		t.Run(name, func(t *testing.T) { storetest.Run(t, fresh) })
	}
}
