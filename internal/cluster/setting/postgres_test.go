package setting

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// load changes settings of its own and reads all the time until stop, which fails the
// test if a change took a second or was refused.
func load(t *testing.T, s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for n := range 4 {
		running.Go(func() {
			for clock.Sleep(ctx, 10*time.Millisecond) {
				key := fmt.Sprint("load-", n)
				now, _ := s.Current(key)
				began := time.Now()
				_, err := s.Put(ctx, Change{Key: key, Value: value("1"), Based: now.Number, Actor: "ann", Reason: "load"})
				if took := time.Since(began); err != nil || took > time.Second*slower {
					t.Errorf("a change under load: %v after %s", err, took)
				}
				s.All()
				s.Dues()
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// TestService_GoesOnWithoutPostgreSQL is the static stability of levers (S1, S5), with
// a real PostgreSQL behind a line that fails.
func TestService_GoesOnWithoutPostgreSQL(t *testing.T) {
	for mode, name := range map[storetest.Mode]string{storetest.Refuse: "refusing", storetest.Hang: "hanging", storetest.Error: "answering errors"} {
		t.Run(name, func(t *testing.T) {
			fault, url := storetest.NewFault(t, storetest.Postgres(t))
			o := store.Options{Dir: t.TempDir(), URL: url, Log: quiet}
			st := storetest.Open(t, o)
			s := begin(t, st, o.Dir, nil)
			stop := load(t, s)
			first := put(t, s, "k", "1")
			if first.Stored != InStore {
				t.Errorf("kept in %s", first.Stored)
			}

			fault.Set(t, mode)
			began := time.Now()
			second := change(t, s, Change{Key: "k", Value: value("2"), RevertAfter: time.Hour})
			if took := time.Since(began); took > time.Second*slower || second.Stored != InJournal {
				t.Errorf("took %s, kept in %s", took, second.Stored)
			}
			holds(t, s, "k", "2")
			stop()
			s.Stop()
			must(t, st.Close())

			// A restart begins with what is on the disk.
			st = storetest.OpenLost(t, o)
			s = begin(t, st, o.Dir, nil)
			holds(t, s, "k", "2")
			stop = load(t, s)
			third := put(t, s, "k", "3")
			if third.Stored != InJournal {
				t.Errorf("kept in %s", third.Stored)
			}

			fault.Set(t, storetest.Pass)
			wait(t, "the store has k", func() bool { now, _ := s.Current("k"); return !now.Provisional })
			stop()
			wait(t, "the journal is empty", func() bool { return s.State().Journal == 0 && !s.State().Lost })
			if got := past(t, s, "k"); !slices.Equal(got, []string{"1 ann", "2 ann", "3 ann"}) {
				t.Errorf("history %v", got)
			}
			history, _, err := s.History(t.Context(), "k", 0, 10)
			if err != nil || !history[0].At.Equal(third.Version.At) || history[0].RecordedAt.Equal(history[0].At) {
				t.Errorf("the time of the change is not kept: %+v, %v", history[0], err)
			}
			if d := s.Dues(); len(d) != 1 || d[0].State != Pending || d[0].Based != 2 {
				t.Errorf("due changes: %+v", d)
			}
			if now := put(t, s, "k", "4"); now.Stored != InStore {
				t.Errorf("afterwards kept in %s", now.Stored)
			}
		})
	}
}

func TestService_GoesOnWithAnEmptiedPostgreSQL(t *testing.T) {
	url := storetest.Postgres(t)
	o := store.Options{Dir: t.TempDir(), URL: url, Log: quiet}
	s := begin(t, storetest.Open(t, o), o.Dir, nil)
	stop := load(t, s)
	first := put(t, s, "k", "1")
	storetest.Empty(t, url)
	wait(t, "somebody notices", func() bool { return s.State().Doubt != "" })
	holds(t, s, "k", "1")
	if r := put(t, s, "k", "2"); r.Stored != InJournal {
		t.Errorf("kept in %s", r.Stored)
	}
	stop()
	must(t, s.Confirm(t.Context(), Refill, "root", "the wrong dump was restored"))
	wait(t, "the journal is empty", func() bool { return s.State().Journal == 0 && !s.State().Lost })
	history, whole, err := s.History(t.Context(), "k", 0, 10)
	if err != nil || !whole || len(history) != 2 || !history[1].At.Equal(first.Version.At) || history[1].ID != first.Version.ID {
		t.Errorf("%+v, %t, %v", history, whole, err)
	}
}

func TestService_TwoNodesOnPostgreSQLConverge(t *testing.T) {
	url := storetest.Postgres(t)
	var nodes []*Service
	var faults []*storetest.Fault
	for range 2 {
		fault, line := storetest.NewFault(t, url)
		o := store.Options{Dir: t.TempDir(), URL: line, Log: quiet}
		nodes, faults = append(nodes, begin(t, storetest.Open(t, o), o.Dir, nil)), append(faults, fault)
	}
	put(t, nodes[0], "k", "1")
	wait(t, "the other has it", func() bool { _, ok := nodes[1].Current("k"); return ok })
	faults[1].Set(t, storetest.Refuse)
	wait(t, "it is cut off", func() bool { return nodes[1].State().Lost })
	put(t, nodes[1], "k", "2")
	put(t, nodes[0], "k", "3") // later, and the other cannot know
	faults[1].Set(t, storetest.Pass)
	wait(t, "both have the later one", func() bool {
		a, _ := nodes[0].Current("k")
		b, _ := nodes[1].Current("k")
		return !a.differs(b) && string(a.Value) == "3" && a.Number == 4
	})
	if got := past(t, nodes[0], "k"); !slices.Equal(got, []string{"1 ann", "3 ann", "2 ann", "3 ann"}) {
		t.Errorf("history %v", got)
	}
}

// TestService_SpeaksPostgreSQLInEveryQuery takes the ways that the other tests go on
// SQLite only.
func TestService_SpeaksPostgreSQLInEveryQuery(t *testing.T) {
	o := store.Options{Dir: t.TempDir(), URL: storetest.Postgres(t), Log: quiet}
	st := storetest.Open(t, o)
	w := newWire(st)
	s := begin(t, w, o.Dir, nil)
	put(t, s, "k", "1")
	outer := change(t, s, Change{Key: "k", Value: value("2"), RevertAfter: time.Hour})
	change(t, s, Change{Key: "k", Value: value("3"), RevertAfter: time.Second})
	later := change(t, s, Change{Key: "z", Value: value("9"), At: time.Now().Add(time.Hour)})
	wait(t, "the inner one is reverted", func() bool {
		must(t, s.SettleDue(t.Context(), nofence))
		now, _ := s.Current("k")
		return string(now.Value) == "2"
	})
	must(t, s.Cancel(t.Context(), later.Due.ID, "ann", "not now"))
	waits := func(id string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		d, _ := s.book.due(id)
		return d.State == Pending && d.Based == 4
	}
	if !waits(outer.Due.ID) {
		t.Errorf("the outer revert does not wait for the version of the same value: %+v", s.Dues())
	}

	// What the journal has: a change that lost, its revert, one that was cancelled.
	w.set(refuses)
	lost := change(t, s, Change{Key: "k", Value: value("5"), RevertAfter: time.Hour})
	must(t, s.Cancel(t.Context(), outer.Due.ID, "ann", "r"))
	other := begin(t, st, t.TempDir(), nil)
	put(t, other, "k", "6")
	w.set(passes)
	wait(t, "the journal is empty", func() bool { return s.State().Journal == 0 && !s.State().Lost })
	if got := past(t, s, "k"); !slices.Equal(got, []string{"1 ann", "2 ann", "3 ann", "2 (evergate)", "6 ann", "5 ann", "6 ann"}) {
		t.Errorf("history %v", got)
	}
	states := map[string]DueState{}
	for _, d := range s.Dues() {
		states[d.ID] = d.State
	}
	if states[lost.Due.ID] != Skipped || states[outer.Due.ID] != Cancelled || states[later.Due.ID] != Cancelled {
		t.Errorf("due changes %v", states)
	}

	// A standby that lags behind takes over.
	p := &story{town: &town{t: t, store: st}, ended: map[string]bool{}}
	standby := p.copy()
	put(t, s, "k", "7")
	change(t, s, Change{Key: "new", Value: value("8"), RevertAfter: time.Hour})
	p.fallBack(standby)
	put(t, other, "new", "0")
	wait(t, "both have what was lost and what came instead", func() bool {
		for _, node := range []*Service{s, other} {
			k, _ := node.Current("k")
			fresh, _ := node.Current("new")
			if string(k.Value) != "7" || string(fresh.Value) != "0" || fresh.Number < 2 {
				return false
			}
		}
		return true
	})
}
