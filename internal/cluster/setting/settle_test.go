package setting

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

func TestSettleDue_RevertsUnlessSomebodyChangedItSince(t *testing.T) {
	w := newTown(t, func() string { return t.TempDir() })
	s := w.nodes[0]
	put(t, s, "alone", "1")
	change(t, s, Change{Key: "alone", Value: value("2"), RevertAfter: time.Minute, Reason: "a test"})
	change(t, s, Change{Key: "changed", Value: value("2"), RevertAfter: time.Minute})
	put(t, s, "changed", "3")
	w.settle(0)
	if state := s.State(); state.Due != 2 || state.Overdue != 0 {
		t.Errorf("too early: %+v", state)
	}
	w.hands.turn(2 * time.Minute)
	if state := s.State(); state.Overdue != 2 {
		t.Errorf("late: %+v", state)
	}
	w.settle(0)
	holds(t, s, "alone", "1")
	v, _ := s.Current("alone")
	if v.Actor != Automatic || v.Number != 3 || v.Reason != "back to the value before version 2, which ann had set for a time: a test" {
		t.Errorf("%+v", v)
	}
	holds(t, s, "changed", "3")
	state := s.State()
	if len(state.Skipped) != 1 || state.Skipped[0].Key != "changed" || state.Skipped[0].Note != "ann has changed it since (version 2): r" || state.Due != 0 {
		t.Errorf("%+v", state)
	}
}

func TestSettleDue_ChangesNothingOutsideItsTerm(t *testing.T) {
	w := newTown(t, func() string { return t.TempDir() })
	w.at(0, 0, "ann", Change{Value: value("2"), RevertAfter: time.Minute})
	w.hands.turn(2 * time.Minute)
	over := errors.New("the term is over")
	if err := w.nodes[0].SettleDue(t.Context(), func(*store.Tx) error { return over }); !errors.Is(err, over) {
		t.Errorf("got %v", err)
	}
	w.round(1)
	w.want("2 ann")
}

func TestSettleDue_MakesWhatFellDueWhileEveryNodeWasAway(t *testing.T) {
	w := newTown(t, func() string { return t.TempDir() })
	w.at(0, 0, "ann", Change{Value: value("2"), RevertAfter: time.Minute})
	w.hands.turn(time.Hour)
	w.open(1)
	w.round(1)
	w.settle(1)
	w.round(0)
	w.want("2 ann", " (evergate)")
}

func TestCancel_EndsOneThatWaits(t *testing.T) {
	w := newTown(t, func() string { return t.TempDir() })
	r := w.at(0, 0, "ann", Change{Value: value("2"), RevertAfter: time.Minute})
	w.round(1)
	must(t, w.nodes[1].Cancel(t.Context(), r.Due.ID, "bob", "it stays"))
	if d := w.nodes[1].Dues()[0]; d.State != Cancelled || d.Note != "cancelled by bob: it stays" {
		t.Errorf("%+v", d)
	}
	w.round(0)
	if got := w.dues(); !slices.Equal(got, []DueState{Cancelled}) {
		t.Errorf("%v", got)
	}
	for _, m := range []mode{passes, refuses} {
		w.cut(0, m)
		if err := w.nodes[0].Cancel(t.Context(), r.Due.ID, "bob", "again"); !errors.Is(err, ErrSettled) {
			t.Errorf("again: %v", err)
		}
		if err := w.nodes[0].Cancel(t.Context(), "nothing", "bob", "r"); !errors.Is(err, ErrUnknownDue) {
			t.Errorf("one that is none: %v", err)
		}
		if err := w.nodes[0].Cancel(t.Context(), r.Due.ID, "bob", " "); !errors.Is(err, ErrNoReason) {
			t.Errorf("no reason: %v", err)
		}
	}
}

func TestPut_BoundsWhatWaits(t *testing.T) {
	w := newTown(t, func() string { return t.TempDir() })
	s := w.nodes[0]
	must(t, w.store.Write(t.Context(), func(tx *store.Tx) error {
		for i := range maxDue {
			d := Due{ID: string(rune('a'+i%26)) + time.Duration(i).String(), Key: "x", Kind: Later, At: tx.Now().Add(time.Hour), Actor: "ann", Reason: "r", Created: tx.Now(), State: Pending}
			if _, err := insertDue(tx, d); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, m := range []mode{passes, refuses} {
		w.round(0)
		w.cut(0, m)
		_, err := s.Put(t.Context(), Change{Key: "k", Value: value("1"), Actor: "ann", Reason: "r", RevertAfter: time.Minute})
		if !errors.Is(err, ErrTooManyDue) {
			t.Errorf("got %v", err)
		}
		if now, ok := s.Current("k"); ok {
			t.Errorf("it was made all the same: %+v", now)
		}
	}
	put(t, s, "k", "1") // what does not wait is not bounded by it
}

func TestReplay_WhatIsInForceDoesNotGoBackInBetween(t *testing.T) {
	dir := t.TempDir()
	st := newWire(openStore(t, dir))
	var applied []string
	s := begin(t, st, dir, func(vs []Version) {
		for _, v := range vs {
			applied = append(applied, string(v.Value))
		}
	})
	put(t, s, "k", "1")
	st.set(refuses)
	put(t, s, "k", "2")
	put(t, s, "k", "3")
	st.set(passes)
	wait(t, "the journal is empty", func() bool { return s.State().Journal == 0 })
	s.Stop()
	if got := slices.Compact(applied); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("applied %v", got)
	}
}

func TestHistory_GoesBackPageByPage(t *testing.T) {
	dir := t.TempDir()
	st := newWire(openStore(t, dir))
	s := open(t, Options{Store: st, Dir: dir})
	s.round(t.Context())
	for range 5 {
		put(t, s, "k", "1")
	}
	st.set(refuses)
	put(t, s, "k", "2")
	st.set(passes) // there again, and not yet given what the journal has
	page := func(before int64, limit int, want ...int64) {
		t.Helper()
		list, whole, err := s.History(context.Background(), "k", before, limit)
		var got []int64
		for _, v := range list {
			got = append(got, v.Number)
		}
		if err != nil || !whole || !slices.Equal(got, want) {
			t.Errorf("before %d: %v, %t, %v; want %v", before, got, whole, err, want)
		}
	}
	page(0, 3, 6, 5, 4)
	page(4, 3, 3, 2, 1)
	page(1, 3)
	st.set(errs)
	list, whole, err := s.History(t.Context(), "k", 0, 3)
	if err != nil || whole || len(list) != 3 || list[0].Number != 6 || list[1].Number != 5 {
		t.Errorf("without the store: %+v, %t, %v", list, whole, err)
	}
}
