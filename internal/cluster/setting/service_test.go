package setting

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

func TestService_AChangeActsBeforeItIsAcknowledgedAndOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	st := openStore(t, dir)
	acting := map[string]string{}
	s := begin(t, st, dir, func(vs []Version) {
		for _, v := range vs {
			acting[v.Key] = string(v.Value)
		}
	})
	r := change(t, s, Change{Key: "k", Value: value(" 1 "), Reason: "because"})
	if r.Stored != InStore || r.Version.Number != 1 || acting["k"] != "1" {
		t.Fatalf("got %+v, acting on %q", r, acting["k"])
	}
	var conflict *ConflictError
	if _, err := s.Put(t.Context(), Change{Key: "k", Value: value("2"), Actor: "bob", Reason: "late"}); !errors.As(err, &conflict) || conflict.Current.Number != 1 {
		t.Fatalf("a change based on nothing: %v", err)
	}
	s.Stop()

	again := begin(t, st, dir, nil)
	if v, ok := again.Current("k"); !ok || string(v.Value) != "1" || v.Actor != "ann" {
		t.Fatalf("after a restart: %+v", v)
	}
	history, whole, err := again.History(t.Context(), "k", 0, 10)
	if err != nil || !whole || len(history) != 1 || history[0].Reason != "because" {
		t.Fatalf("history %+v, whole %t, %v", history, whole, err)
	}
}

func TestService_StartAppliesEverythingFirst(t *testing.T) {
	dir := t.TempDir()
	st := newWire(openStore(t, dir))
	s := begin(t, st, dir, nil)
	put(t, s, "a", "1")
	change(t, s, Change{Key: "b", Value: value("2"), RevertAfter: time.Second})
	s.Stop()

	// The store is lost and the revert is over, so there is something to act on before
	// the first call.
	st.set(refuses)
	var calls [][]string
	h := newHands()
	h.now = time.Now().Add(time.Hour)
	beginWith(t, Options{Store: st, Dir: dir, Clock: h.clock(), Apply: func(vs []Version) {
		var keys []string
		for _, v := range vs {
			keys = append(keys, v.Key+"="+string(v.Value))
		}
		calls = append(calls, keys)
	}})
	if len(calls) != 1 || !slices.Equal(calls[0], []string{"a=1", "b="}) {
		t.Errorf("applied %v, want a=1 and b= at once", calls)
	}
}

func TestService_TurnsWithoutTheStoreAndTellsItLater(t *testing.T) {
	dir := t.TempDir()
	st := newWire(openStore(t, dir))
	s := begin(t, st, dir, nil)
	put(t, s, "k", "1")
	s.Stop()
	st.set(refuses)

	s = begin(t, st, dir, nil)
	holds(t, s, "k", "1") // from the last-good file (S1)
	r := change(t, s, Change{Key: "k", Value: value("2"), Actor: "bob", Reason: "meanwhile"})
	if r.Stored != InJournal || !r.Version.Provisional || r.Version.Number != 2 {
		t.Fatalf("%+v", r)
	}

	again := begin(t, st, dir, nil) // as after a kill: s was not stopped
	holds(t, again, "k", "2")
	if !again.State().Lost || again.State().Journal != 1 {
		t.Errorf("from the journal: %+v", again.State())
	}
	history, whole, err := again.History(t.Context(), "k", 0, 10)
	if err != nil || whole || len(history) != 2 || !history[0].Provisional || history[1].Provisional {
		t.Errorf("history without the store: %+v, whole %t, %v", history, whole, err)
	}
	s.Stop()

	st.set(passes)
	wait(t, "the journal is empty", func() bool { return again.State().Journal == 0 && again.journal.isEmpty() })
	history, whole, err = again.History(t.Context(), "k", 0, 10)
	if err != nil || !whole || len(history) != 2 || history[0].Actor != "bob" || !history[0].At.Equal(r.Version.At) || history[0].Provisional {
		t.Errorf("history %+v, whole %t, %v", history, whole, err)
	}
	if now, _ := again.Current("k"); now.Provisional || now.ID != r.Version.ID {
		t.Errorf("in force: %+v", now)
	}
}

func TestService_AStoreThatHangsOrErrsCostsLessThanASecond(t *testing.T) {
	for m, name := range map[mode]string{hangs: "hangs", errs: "errs", refuses: "refuses", mute: "does it and does not say so"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			st := newWire(openStore(t, dir))
			s := begin(t, st, dir, nil)
			put(t, s, "k", "1")
			st.set(m)
			began := time.Now()
			r := put(t, s, "k", "2")
			if took := time.Since(began); took > time.Second {
				t.Errorf("took %s", took)
			}
			if r.Stored != InJournal {
				t.Errorf("kept in %s", r.Stored)
			}
			began = time.Now()
			put(t, s, "k", "3")
			if took := time.Since(began); m != mute && took > 100*time.Millisecond {
				t.Errorf("the second one took %s, though the store was known to be lost", took)
			}
			st.set(passes)
			wait(t, "the store has it", func() bool { return s.State().Journal == 0 })
			if got := past(t, s, "k"); !slices.Equal(got, []string{"1 ann", "2 ann", "3 ann"}) {
				t.Errorf("history %v", got)
			}
		})
	}
}

func TestService_OneOfManyWinsAndTheOthersLearnIt(t *testing.T) {
	shared := openStore(t, t.TempDir())
	nodes := []*Service{begin(t, shared, t.TempDir(), nil), begin(t, shared, t.TempDir(), nil)}
	const writers, each = 8, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			s := nodes[w%2]
			for range each {
				for {
					now, _ := s.Current("k")
					_, err := s.Put(t.Context(), Change{Key: "k", Value: value("1"), Based: now.Number, Actor: "ann", Reason: "r"})
					if err == nil {
						break
					}
					var conflict *ConflictError
					if !errors.As(err, &conflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	for _, s := range nodes {
		wait(t, "both have seen all", func() bool { now, _ := s.Current("k"); return now.Number == writers*each })
	}
	if got := past(t, nodes[0], "k"); len(got) != writers*each {
		t.Errorf("%d versions, want %d", len(got), writers*each)
	}
}

func TestService_AnotherNodeActsSoon(t *testing.T) {
	shared := openStore(t, t.TempDir())
	a, b := begin(t, shared, t.TempDir(), nil), begin(t, shared, t.TempDir(), nil)
	put(t, a, "k", "1")
	began := time.Now()
	wait(t, "the other node has it", func() bool { _, ok := b.Current("k"); return ok })
	if took := time.Since(began); took > time.Second {
		t.Errorf("after %s", took)
	}
}

func TestService_AFullDiskForLastGoodIsShownAndStopsNothing(t *testing.T) {
	dir := t.TempDir()
	st := openStore(t, t.TempDir())
	s := begin(t, st, dir, nil)
	put(t, s, "k", "1")
	wait(t, "the first copy is written", func() bool { return !s.State().LastGood.IsZero() })
	whole, err := os.ReadFile(filepath.Join(dir, LastGoodName))
	must(t, err)

	must(t, os.Rename(dir, dir+"-gone")) // no file can be made where it was
	put(t, s, "k", "2")
	wait(t, "the failure is shown", func() bool { return s.State().LastGoodError != nil })
	must(t, os.Rename(dir+"-gone", dir))
	kept, err := os.ReadFile(filepath.Join(dir, LastGoodName))
	if err != nil || (!slices.Equal(kept, whole) && !strings.Contains(string(kept), `"value":2`)) {
		t.Errorf("the old file is not whole: %v", err)
	}
	wait(t, "it is written when it can be", func() bool { return s.State().LastGoodError == nil })
	left, _ := filepath.Glob(filepath.Join(dir, "*.new-*"))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestService_ADamagedLastGoodFileIsKeptAsideAndTheStoreIsRead(t *testing.T) {
	dir := t.TempDir()
	st := openStore(t, dir)
	s := begin(t, st, dir, nil)
	put(t, s, "k", "1")
	s.Stop()
	path := filepath.Join(dir, LastGoodName)
	content, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, content[:len(content)/2], 0o600))
	s = begin(t, st, dir, nil)
	holds(t, s, "k", "1")
	if kept, err := os.ReadFile(path + ".damaged"); err != nil || !slices.Equal(kept, content[:len(content)/2]) {
		t.Errorf("kept aside: %d bytes, %v", len(kept), err)
	}
}

func TestService_StopsTwiceAndWithoutAStart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Store: openStore(t, dir), Dir: dir})
	s.Stop()
	s.Stop()
}

func TestNew_WantsAStoreAndAFolder(t *testing.T) {
	if _, err := New(Options{Dir: t.TempDir()}); err == nil {
		t.Error("no store")
	}
	if _, err := New(Options{Store: &store.Store{}}); err == nil {
		t.Error("no folder")
	}
}
