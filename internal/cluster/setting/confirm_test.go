package setting

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// moved is a node that knows settings of a store that is gone, in front of another one.
func moved(t *testing.T, other func(s *Service)) (s *Service, dir string, st *wire) {
	t.Helper()
	dir = t.TempDir()
	s = begin(t, openStore(t, t.TempDir()), dir, nil)
	put(t, s, "a", "1")
	put(t, s, "a", "2")
	change(t, s, Change{Key: "b", Value: value("3"), RevertAfter: time.Hour})
	s.Stop()

	st = newWire(openStore(t, t.TempDir()))
	if other != nil {
		o := begin(t, st, t.TempDir(), nil)
		other(o)
		o.Stop()
	}
	return begin(t, st, dir, nil), dir, st
}

func TestConfirm_AnEmptyStoreCountsAsLostUntilItIsRefilled(t *testing.T) {
	s, _, st := moved(t, nil)
	if state := s.State(); !strings.Contains(state.Doubt, "empty") || !state.Lost {
		t.Fatalf("%+v", state)
	}
	holds(t, s, "a", "2")
	if r := put(t, s, "a", "4"); r.Stored != InJournal {
		t.Errorf("kept in %s", r.Stored)
	}
	must(t, s.Confirm(t.Context(), Refill, "root", "somebody emptied it"))
	wait(t, "the journal is replayed", func() bool { return s.State().Journal == 0 })
	if got := past(t, s, "a"); !slices.Equal(got, []string{"1 ann", "2 ann", "4 ann"}) {
		t.Errorf("history %v", got)
	}
	if d := s.Dues(); len(d) != 1 || d[0].State != Pending || d[0].Based != 1 {
		t.Errorf("due changes %+v", d)
	}
	confirmed, _, err := s.History(t.Context(), confirmedKey, 0, 1)
	if err != nil || len(confirmed) != 1 || confirmed[0].Actor != "root" || confirmed[0].Reason != "somebody emptied it" {
		t.Errorf("who confirmed it: %+v, %v", confirmed, err)
	}
	if state := s.State(); state.Doubt != "" || state.Lost {
		t.Errorf("%+v", state)
	}
	holds(t, begin(t, st, t.TempDir(), nil), "a", "4") // a node that starts anew
}

func TestConfirm_AcceptForgetsWhatTheStoreDoesNotHave(t *testing.T) {
	var gone []string
	s, dir, _ := moved(t, func(o *Service) { put(t, o, "b", "9") })
	s.o.Apply = func(vs []Version) {
		for _, v := range vs {
			if v.Number == 0 {
				gone = append(gone, v.Key)
			}
		}
	}
	if state := s.State(); !strings.Contains(state.Doubt, "another store") {
		t.Fatalf("%+v", state)
	}
	must(t, s.Confirm(t.Context(), Accept, "root", "it is the right one"))
	holds(t, s, "b", "9")
	if _, there := s.Current("a"); there || !slices.Contains(gone, "a") {
		t.Errorf("a is still there: %t, told of %v", there, gone)
	}
	if len(s.Dues()) > 0 {
		t.Errorf("due changes %+v", s.Dues())
	}
	if _, err := os.Stat(filepath.Join(dir, LastGoodName+".given-up")); err != nil {
		t.Errorf("what was given up is not kept: %v", err)
	}
}

func TestConfirm_RefillPutsThisNodesValuesOverThoseOfAnotherStore(t *testing.T) {
	s, _, _ := moved(t, func(o *Service) { put(t, o, "b", "9"); put(t, o, "c", "5") })
	must(t, s.Confirm(t.Context(), Refill, "root", "r"))
	for key, want := range map[string]string{"a": "2", "b": "3", "c": "5"} {
		holds(t, s, key, want)
	}
	if got := past(t, s, "b"); !slices.Equal(got, []string{"9 ann", "3 ann"}) {
		t.Errorf("history %v", got)
	}
	if d := s.Dues(); len(d) != 1 || d[0].Based != 2 {
		t.Errorf("the revert is based on the new number: %+v", d)
	}
}

func TestConfirm_OtherNodesFollowOnce(t *testing.T) {
	for _, how := range []How{Refill, Accept} {
		t.Run(string(how), func(t *testing.T) {
			first := openStore(t, t.TempDir())
			dirs := []string{t.TempDir(), t.TempDir()}
			for _, dir := range dirs {
				s := begin(t, first, dir, nil)
				put(t, s, "a", "1")
				wait(t, "it is on the disk", func() bool { return !s.saver.behind() })
				s.Stop()
			}
			second := openStore(t, t.TempDir())
			o := begin(t, second, t.TempDir(), nil)
			put(t, o, "a", "7")
			a, b := begin(t, second, dirs[0], nil), begin(t, second, dirs[1], nil)
			must(t, a.Confirm(t.Context(), how, "root", "r"))
			wait(t, "the other node follows", func() bool { return b.State().Doubt == "" && !b.State().Lost })
			// With a refill the other node writes what it knew too, which the first one then reads.
			wait(t, "both to have the same", func() bool {
				one, _ := a.Current("a")
				other, _ := b.Current("a")
				return !other.differs(one)
			})
			b.Stop()

			// The word was on the second store. A third one is another matter.
			third := openStore(t, t.TempDir())
			c := begin(t, third, t.TempDir(), nil)
			put(t, c, "z", "1")
			if state := begin(t, third, dirs[1], nil).State(); state.Doubt == "" {
				t.Error("a third store is taken without a word")
			}
		})
	}
}

func TestConfirm_WantsAWordThatMakesSense(t *testing.T) {
	dir := t.TempDir()
	s := begin(t, openStore(t, dir), dir, nil)
	if err := s.Confirm(t.Context(), Refill, "root", "r"); !errors.Is(err, ErrNothingToConfirm) {
		t.Errorf("nothing to confirm: %v", err)
	}
	var invalid *InvalidError
	if err := s.Confirm(t.Context(), "maybe", "root", "r"); !errors.As(err, &invalid) || invalid.Field != "how" {
		t.Errorf("another word: %v", err)
	}
	if err := s.Confirm(t.Context(), Refill, "root", ""); !errors.Is(err, ErrNoReason) {
		t.Errorf("no reason: %v", err)
	}
}

func TestConfirm_EndsWhenTheOldStoreComesBack(t *testing.T) {
	old := openStore(t, t.TempDir())
	dir := t.TempDir()
	s := begin(t, old, dir, nil)
	put(t, s, "a", "1")
	s.Stop()
	s = open(t, Options{Store: openStore(t, t.TempDir()), Dir: dir})
	s.round(t.Context())
	if s.State().Doubt == "" {
		t.Fatal("no doubt")
	}
	s.o.Store = old
	s.round(t.Context())
	if state := s.State(); state.Doubt != "" || state.Lost {
		t.Errorf("%+v", state)
	}
	if err := s.Confirm(t.Context(), Accept, "root", "r"); !errors.Is(err, ErrNothingToConfirm) {
		t.Errorf("got %v", err)
	}
}
