package lease

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// nodes opens n nodes of one database. wrong is how far their wall clocks are off.
type nodes func(t *testing.T, n int, wrong time.Duration) []*store.Store

func openStore(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	o.Log = quiet
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if state := s.State(); state.Lost {
		t.Fatal(state.Err)
	}
	return s
}

// engines calls fn with both databases. On SQLite all nodes are one process with
// one store.
func engines(t *testing.T, fn func(t *testing.T, open nodes)) {
	t.Run("sqlite", func(t *testing.T) {
		fn(t, func(t *testing.T, n int, _ time.Duration) []*store.Store {
			all := make([]*store.Store, n)
			all[0] = openStore(t, store.Options{Dir: t.TempDir()})
			for i := range all {
				all[i] = all[0]
			}
			return all
		})
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.Postgres(t)
		fn(t, func(t *testing.T, n int, wrong time.Duration) []*store.Store {
			all := make([]*store.Store, n)
			for i := range all {
				all[i] = openStore(t, store.Options{Dir: t.TempDir(), URL: url, Clock: clock.At(func() time.Time { return time.Now().Add(wrong) })})
			}
			return all
		})
	})
}

// stand returns an elector on s with short times.
func stand(t *testing.T, s Store, holder string, change ...func(*Options)) *Elector {
	t.Helper()
	o := Options{Store: s, Name: "work", Holder: holder, TTL: 1500 * time.Millisecond, Renew: 300 * time.Millisecond, Margin: 300 * time.Millisecond, Log: quiet}
	for _, c := range change {
		c(&o)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestL1_OfManyElectorsOneIsElectedAndTheNextOnesTermIsHigher(t *testing.T) {
	engines(t, func(t *testing.T, open nodes) {
		stores := open(t, 3, 0)
		var inside, rounds atomic.Int32
		var last atomic.Int64
		var electors sync.WaitGroup
		for i := range 6 {
			e := stand(t, stores[i%3], string(rune('a'+i)))
			electors.Go(func() {
				for range 5 {
					n, err := e.Elect(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if inside.Add(1) > 1 {
						t.Error("two are elected at once")
					}
					if before := last.Swap(n.Number); n.Number <= before {
						t.Errorf("term %d after %d", n.Number, before)
					}
					rounds.Add(1)
					inside.Add(-1)
					if err := n.Resign(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		electors.Wait()
		if got := rounds.Load(); got != 30 {
			t.Errorf("%d terms, want 30", got)
		}
	})
}

func TestL3_APausedHolderChangesNothingAfterAnotherWasElected(t *testing.T) {
	t.Parallel() // it mostly waits
	engines(t, func(t *testing.T, open nodes) {
		stores := open(t, 2, 0)
		write := func(s *store.Store, term Term, value string) error {
			return s.Write(t.Context(), func(tx *store.Tx) error {
				if err := term.Fence(tx); err != nil {
					return err
				}
				_, err := tx.Exec(`INSERT INTO cert_file (key, value, modified_at) VALUES ('fenced', $1, 0)
					ON CONFLICT (key) DO UPDATE SET value = excluded.value`, value)
				return err
			})
		}
		zombie := elected(t, stand(t, stores[0], "zombie"))
		if err := write(stores[0], zombie.Term, "within the term"); err != nil {
			t.Fatal(err)
		}
		// A process that was stopped neither renews nor notices: this one believes
		// in its term for an hour.
		zombie.trust.end(ErrOver)
		<-zombie.kept
		believes := zombie.Term
		believes.trust = newTrust(time.Now().Add(time.Hour))
		defer believes.trust.end(ErrOver)

		next := elected(t, stand(t, stores[1], "next"))
		if !believes.Trusted(time.Now()) {
			t.Fatal("the case is none")
		}
		if err := write(stores[1], next.Term, "of the next term"); err != nil {
			t.Fatal(err)
		}
		if err := write(stores[0], believes, "of a zombie"); !errors.Is(err, ErrOver) {
			t.Errorf("the zombie's write: %v", err)
		}
		if believes.Trusted(time.Now()) {
			t.Error("it still believes")
		}
		if err := write(stores[0], zombie.Term, "untrusted"); !errors.Is(err, ErrOver) {
			t.Errorf("a write after trust has ended: %v", err)
		}
		var value string
		err := stores[1].Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(`SELECT value FROM cert_file WHERE key = 'fenced'`).Scan(&value)
		})
		if err != nil || value != "of the next term" {
			t.Errorf("the row has %q, %v", value, err)
		}
	})
}

func TestL3_NobodyIsElectedDuringAFencedTransaction(t *testing.T) {
	t.Parallel()                 // it mostly waits
	url := storetest.Postgres(t) // on SQLite there is one writer anyway
	one, two := openStore(t, store.Options{Dir: t.TempDir(), URL: url}), openStore(t, store.Options{Dir: t.TempDir(), URL: url})
	n := elected(t, stand(t, one, "one"))
	var over atomic.Bool
	won := make(chan bool)
	err := one.Write(t.Context(), func(tx *store.Tx) error {
		if err := n.Fence(tx); err != nil {
			return err
		}
		n.trust.end(ErrOver) // it renews no more
		go func() {
			_, err := stand(t, two, "two").Elect(t.Context())
			won <- over.Load()
			if err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(2500 * time.Millisecond) // the time that passes is what this is about: TTL + renewal + some
		over.Store(true)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !<-won {
		t.Error("elected before the fenced transaction was over")
	}
}

func TestL4_AnotherTakesOverFromADeadHolderAndFromOneThatResigns(t *testing.T) {
	engines(t, func(t *testing.T, open nodes) {
		stores := open(t, 2, 0)
		n := elected(t, stand(t, stores[0], "dies"))
		next := make(chan *Tenure)
		follow := func(holder string) {
			e := stand(t, stores[1], holder)
			go func() {
				n, err := e.Elect(t.Context())
				if err != nil {
					t.Error(err)
				}
				next <- n
			}()
		}
		follow("follows")
		n.trust.end(ErrOver)
		<-n.kept
		dead := time.Now()
		second := <-next
		// The exact bound is held in virtual time; this leaves a busy machine some.
		if took := time.Since(dead); took > 1800*time.Millisecond+500*time.Millisecond {
			t.Errorf("took over %v after a death, want at most TTL + renewal", took)
		}
		if err := second.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}

		// Of three, because a busy machine may hold up one.
		best := time.Hour
		for range 3 {
			slow := func(o *Options) { o.TTL, o.Renew, o.Margin = 15*time.Second, 5*time.Second, time.Second }
			holder := elected(t, stand(t, stores[1], "resigns", slow))
			e := stand(t, stores[0], "waits", slow)
			go func() {
				n, err := e.Elect(t.Context())
				if err != nil {
					t.Error(err)
				}
				next <- n
			}()
			for e.State().Holder != "resigns" { // it has looked, and waits
				time.Sleep(time.Millisecond)
			}
			start := time.Now()
			if err := holder.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
			follower := <-next
			best = min(best, time.Since(start))
			if err := follower.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("taken over %v after a resignation began", best)
		if best > 50*time.Millisecond {
			t.Errorf("took over %v after a resignation, want at most 50 ms", best)
		}
	})
}

func TestL2_AWrongWallClockStealsNothing(t *testing.T) {
	url := storetest.Postgres(t)
	right := openStore(t, store.Options{Dir: t.TempDir(), URL: url})
	n := elected(t, stand(t, right, "right"))
	for _, wrong := range []time.Duration{time.Hour, -time.Hour} {
		s := openStore(t, store.Options{Dir: t.TempDir(), URL: url, Clock: clock.At(func() time.Time { return time.Now().Add(wrong) })})
		if other, err := stand(t, s, "wrong").Try(t.Context()); other != nil || err != nil {
			t.Errorf("a clock that is %v off: %v, %v", wrong, other, err)
		}
	}
	if !n.Trusted(time.Now()) {
		t.Error("the holder has lost its term")
	}
}

func TestL2_TrustEndsOnTimeInEveryFormOfALostStore(t *testing.T) {
	t.Parallel() // it mostly waits
	for name, mode := range map[string]storetest.Mode{"refused": storetest.Refuse, "hanging": storetest.Hang, "errors": storetest.Error} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fault, url := storetest.NewFault(t, storetest.Postgres(t))
			e := stand(t, openStore(t, store.Options{Dir: t.TempDir(), URL: url}), "one")
			n := elected(t, e)
			fault.Set(t, mode)
			cut := time.Now()
			select {
			case <-n.Context().Done():
			case <-time.After(10 * time.Second):
				t.Fatal("trust does not end")
			}
			if took := time.Since(cut); took > 1500*time.Millisecond {
				t.Errorf("trust ended %v after the store was lost, and after TTL another may be elected", took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if n, err := e.Elect(ctx); n != nil || err == nil {
				t.Errorf("elected without the store: %v, %v", n, err)
			}
			fault.Set(t, storetest.Pass)
			back, err := e.Elect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if back.Number <= n.Number {
				t.Errorf("term %d after %d", back.Number, n.Number)
			}
			if err := back.Resign(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("empty", func(t *testing.T) {
		url := storetest.Postgres(t)
		s := openStore(t, store.Options{Dir: t.TempDir(), URL: url})
		n := elected(t, stand(t, s, "one"))
		storetest.Empty(t, url)
		select {
		case <-n.Context().Done():
		case <-time.After(10 * time.Second):
			t.Fatal("trust does not end")
		}
	})
}

func TestL5_AnOlderModuleNeverFollowsANewerInTheStore(t *testing.T) {
	engines(t, func(t *testing.T, open nodes) {
		s := open(t, 1, 0)[0]
		n := elected(t, stand(t, s, "new", func(o *Options) { o.Module = 2 }))
		if err := n.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := table{s}
		if _, won, err := b.elect(t.Context(), bid{name: "work", holder: "old", module: 1, ttl: time.Second, least: 1}); won || err != nil {
			t.Errorf("an older module won: %t, %v", won, err)
		}
		if n, err := stand(t, s, "old", func(o *Options) { o.Module = 1 }).Try(t.Context()); n != nil || err != nil {
			t.Errorf("an older module got %v, %v", n, err)
		}
	})
}

func TestTable_IsWhatTheTestsInVirtualTimeTakeItFor(t *testing.T) {
	engines(t, func(t *testing.T, open nodes) {
		for name, b := range map[string]book{"table": table{open(t, 1, 0)[0]}, "fake": newFakeBook()} {
			t.Run(name, func(t *testing.T) { bookContract(t, b) })
		}
	})
}

// bookContract is what each book does.
func bookContract(t *testing.T, b book) {
	ctx := t.Context()
	base := bid{name: "x", holder: "a", ttl: time.Hour, least: 5}
	elect := func(change func(*bid)) (int64, bool) {
		t.Helper()
		bid := base
		change(&bid)
		term, won, err := b.elect(ctx, bid)
		if err != nil {
			t.Fatal(err)
		}
		return term, won
	}
	if r, err := b.look(ctx, "x"); err != nil || r.term != 0 {
		t.Fatalf("an unknown lease: %+v, %v", r, err)
	}
	if term, won := elect(func(*bid) {}); !won || term != 5 {
		t.Errorf("the first bid: %d, %t", term, won)
	}
	r, err := b.look(ctx, "x")
	if err != nil || r.holder != "a" || r.term != 5 || r.left < 59*time.Minute || r.left > time.Hour {
		t.Errorf("what was won: %+v, %v", r, err)
	}
	for name, change := range map[string]func(*bid){
		"another":                 func(b *bid) { b.holder = "b" },
		"the same without reason": func(*bid) {},
		"a wrong own term":        func(b *bid) { b.own = 4 },
		"another's own term":      func(b *bid) { b.holder, b.own = "b", 5 },
		"a row that has changed":  func(b *bid) { b.holder, b.dead = "b", row{holder: "a", term: 5, expires: r.expires - 1} },
		"an older module":         func(b *bid) { b.own, b.module = 5, -1 },
	} {
		if _, won := elect(change); won {
			t.Errorf("%s won", name)
		}
	}
	if term, won := elect(func(b *bid) { b.own = 5 }); !won || term != 6 {
		t.Errorf("the own term that is over: %d, %t", term, won)
	}
	r, _ = b.look(ctx, "x")
	if term, won := elect(func(b *bid) { b.holder, b.dead, b.least = "b", r, 40 }); !won || term != 40 {
		t.Errorf("a dead process's: %d, %t", term, won)
	}
	if ok, err := b.renew(ctx, Term{Name: "x", Holder: "a", Number: 6}, time.Hour); ok || err != nil {
		t.Errorf("renewed a term that is over: %t, %v", ok, err)
	}
	if ok, err := b.renew(ctx, Term{Name: "x", Holder: "b", Number: 40}, 2*time.Hour); !ok || err != nil {
		t.Errorf("renewing: %t, %v", ok, err)
	}
	if err := b.resign(ctx, Term{Name: "x", Holder: "b", Number: 39}); err != nil {
		t.Error(err)
	}
	if r, _ := b.look(ctx, "x"); r.left < time.Hour {
		t.Errorf("after renewing, and resigning another term: %+v", r)
	}
	if err := b.resign(ctx, Term{Name: "x", Holder: "b", Number: 40}); err != nil {
		t.Error(err)
	}
	if term, won := elect(func(*bid) {}); !won || term != 41 {
		t.Errorf("after a resignation: %d, %t", term, won)
	}
}
