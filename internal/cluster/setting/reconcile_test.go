package setting

import (
	"slices"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// town is two nodes on one store, with one clock that a test turns. Nothing happens
// by itself: a node does what there is to do when its round is called.
type town struct {
	t     testing.TB
	hands *hands
	store *store.Store
	wires [2]*wire
	dirs  [2]string
	nodes [2]*Service
}

func newTown(t testing.TB, dir func() string) *town {
	w := &town{t: t, hands: newHands()}
	w.store = storetest.Open(t, store.Options{Dir: dir(), Log: quiet, Clock: w.hands.clock()})
	for i := range w.nodes {
		w.wires[i], w.dirs[i] = newWire(w.store), dir()
		w.open(i)
		w.round(i)
	}
	return w
}

// open starts node i as after a kill: it has what is on its disk.
func (w *town) open(i int) {
	w.nodes[i] = open(w.t, Options{Store: w.wires[i], Dir: w.dirs[i], Node: string(rune('a' + i)), Clock: w.hands.clock()})
}

func (w *town) round(i int) { w.nodes[i].round(w.t.Context()) }

func (w *town) cut(i int, m mode) {
	w.wires[i].set(m)
	w.round(i)
}

// heal makes both nodes whole again.
func (w *town) heal() {
	for range 3 { // what one gives the store, the other has to see
		for i := range w.nodes {
			w.cut(i, passes)
		}
	}
}

// at lets d go by and then has actor change k at node i.
func (w *town) at(d time.Duration, i int, actor string, c Change) Result {
	w.t.Helper()
	w.hands.turn(d)
	c.Key, c.Actor = "k", actor
	return change(w.t, w.nodes[i], c)
}

func (w *town) settle(i int) {
	w.t.Helper()
	must(w.t, w.nodes[i].SettleDue(w.t.Context(), nofence))
}

// want fails the test unless k has this history, and its last version is in force at
// both nodes.
func (w *town) want(history ...string) {
	w.t.Helper()
	if got := past(w.t, w.nodes[0], "k"); !slices.Equal(got, history) {
		w.t.Errorf("history %q, want %q", got, history)
	}
	a, _ := w.nodes[0].Current("k")
	b, _ := w.nodes[1].Current("k")
	if a.differs(b) || int(a.Number) != len(history) {
		w.t.Errorf("in force: %+v and %+v", a, b)
	}
}

// dues returns what became of the due changes, by both nodes.
func (w *town) dues() (list []DueState) {
	w.t.Helper()
	a, b := w.nodes[0].Dues(), w.nodes[1].Dues()
	if !slices.EqualFunc(a, b, Due.same) {
		w.t.Errorf("due changes: %+v and %+v", a, b)
	}
	for _, d := range a {
		list = append(list, d.State)
	}
	return list
}

// TestReconcile_T4 holds what is in force after changes on both sides of a cut: the
// later explicit human action, with everything in the history (T4, S5).
func TestReconcile_T4(t *testing.T) {
	const m = time.Minute
	one, two, three := Change{Value: value("1")}, Change{Value: value("2")}, Change{Value: value("3")}
	tests := []struct {
		name string
		play func(w *town)
		want []string
		dues []DueState
	}{
		{"what the cut-off node did later wins", func(w *town) {
			w.cut(1, refuses)
			w.at(m, 0, "ann", one)
			w.at(m, 1, "bob", two)
		}, []string{"1 ann", "2 bob"}, nil},
		{"what the cut-off node did earlier is in the history, and the later one in force again", func(w *town) {
			w.cut(1, refuses)
			w.at(m, 1, "bob", two)
			w.at(m, 0, "ann", one)
		}, []string{"1 ann", "2 bob", "1 ann"}, nil},
		{"a chain of the cut-off node stays a chain", func(w *town) {
			w.cut(1, refuses)
			w.at(m, 1, "bob", two)
			w.at(m, 0, "ann", one)
			w.at(m, 1, "bob", three)
		}, []string{"1 ann", "2 bob", "1 ann", "3 bob"}, nil},
		{"a reset is an action like others", func(w *town) {
			w.at(m, 0, "ann", one)
			w.cut(1, refuses)
			w.at(m, 0, "ann", three)
			w.at(m, 1, "bob", Change{})
		}, []string{"1 ann", "3 ann", " bob"}, nil},
		{"both cut off: the order of their return does not matter", func(w *town) {
			w.cut(0, refuses)
			w.cut(1, refuses)
			w.at(m, 1, "bob", two)
			w.at(m, 0, "ann", one)
			w.cut(0, passes)
		}, []string{"1 ann", "2 bob", "1 ann"}, nil},
		{"a revert is no act of a human", func(w *town) {
			w.at(m, 0, "ann", one)
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 10 * m})
			w.round(1)
			w.cut(1, refuses)
			w.at(5*m, 1, "bob", three)
			w.hands.turn(6 * m)
			w.settle(0)
		}, []string{"1 ann", "2 ann", "1 (evergate)", "3 bob"}, []DueState{Done}},
		{"what was reverted after a later action does not let an earlier one win", func(w *town) {
			w.cut(1, refuses)
			w.at(m, 1, "bob", three)
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: m})
			w.hands.turn(2 * m)
			w.settle(0)
		}, []string{"2 ann", " (evergate)", "3 bob", " (evergate)"}, []DueState{Done}},
		{"a cut-off node reverts by itself, once for all", func(w *town) {
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: m})
			w.round(1)
			w.cut(1, refuses)
			w.hands.turn(2 * m)
			w.round(1)
			holds(w.t, w.nodes[1], "k", "")
			w.settle(0)
		}, []string{"2 ann", " (evergate)"}, []DueState{Done}},
		{"all are cut off and both revert", func(w *town) {
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: m})
			w.round(1)
			w.cut(0, errs)
			w.cut(1, refuses)
			w.hands.turn(2 * m)
			w.round(0)
			w.round(1)
		}, []string{"2 ann", " (evergate)"}, []DueState{Done}},
		{"a cut-off node's revert of what somebody changed meanwhile is skipped", func(w *town) {
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 2 * m})
			w.round(1)
			w.cut(1, refuses)
			w.at(m, 0, "ann", three)
			w.hands.turn(2 * m)
			w.round(1)
			holds(w.t, w.nodes[1], "k", "")
		}, []string{"2 ann", "3 ann"}, []DueState{Skipped}},
		{"a cancelled revert that a cut-off node made is undone", func(w *town) {
			r := w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 2 * m})
			w.round(1)
			w.cut(1, refuses)
			must(w.t, w.nodes[0].Cancel(w.t.Context(), r.Due.ID, "ann", "it stays"))
			w.hands.turn(3 * m)
			w.round(1)
		}, []string{"2 ann"}, []DueState{Cancelled}},
		{"a revert that is cancelled without the store", func(w *town) {
			r := w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 2 * m})
			w.cut(0, refuses)
			must(w.t, w.nodes[0].Cancel(w.t.Context(), r.Due.ID, "ann", "it stays"))
			w.hands.turn(3 * m)
			w.round(0)
		}, []string{"2 ann"}, []DueState{Cancelled}},
		{"a change with a revert is made and reverted without the store", func(w *town) {
			w.at(m, 0, "ann", one)
			w.round(1)
			w.cut(1, refuses)
			w.at(m, 1, "bob", Change{Value: value("2"), RevertAfter: m})
			w.hands.turn(2 * m)
			w.round(1)
		}, []string{"1 ann", "2 bob", "1 (evergate)"}, []DueState{Done}},
		{"the revert of a change that lost is skipped", func(w *town) {
			w.cut(1, refuses)
			w.at(m, 1, "bob", Change{Value: value("2"), RevertAfter: time.Hour})
			w.at(m, 0, "ann", one)
		}, []string{"1 ann", "2 bob", "1 ann"}, []DueState{Skipped}},
		{"the revert of the winner goes on to wait after a loser was written", func(w *town) {
			w.cut(1, refuses)
			w.at(m, 1, "bob", two)
			w.at(m, 0, "ann", Change{Value: value("1"), RevertAfter: 10 * m})
			w.heal()
			w.hands.turn(10 * m)
			w.settle(0)
		}, []string{"1 ann", "2 bob", "1 ann", " (evergate)"}, []DueState{Done}},
		{"a change for a later time that was asked for without the store", func(w *town) {
			w.at(m, 0, "ann", one)
			w.round(1)
			w.cut(1, refuses)
			w.at(m, 1, "bob", Change{Value: value("2"), At: w.hands.now.Add(5 * m)})
			w.heal()
			w.hands.turn(10 * m)
			w.settle(0)
		}, []string{"1 ann", "2 bob"}, []DueState{Done}},
		{"a change for a later time that is made without the store", func(w *town) {
			w.at(m, 0, "ann", Change{Value: value("2"), At: w.hands.now.Add(5 * m)})
			w.cut(0, refuses)
			w.hands.turn(10 * m)
			w.round(0)
			holds(w.t, w.nodes[0], "k", "2")
		}, []string{"2 ann"}, []DueState{Done}},
		{"a change for a later time is skipped if somebody was there before", func(w *town) {
			w.at(m, 0, "ann", Change{Value: value("2"), At: w.hands.now.Add(5 * m)})
			w.at(m, 1, "bob", one)
			w.hands.turn(10 * m)
			w.settle(0)
		}, []string{"1 bob"}, []DueState{Skipped}},
		{"a revert inside a revert gives back what was to be reverted too", func(w *town) {
			w.at(m, 0, "ann", one)
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 60 * m})
			w.at(m, 0, "ann", Change{Value: value("3"), RevertAfter: 10 * m})
			w.hands.turn(10 * m)
			w.settle(0)
			holds(w.t, w.nodes[0], "k", "2")
			w.hands.turn(60 * m)
			w.settle(0)
		}, []string{"1 ann", "2 ann", "3 ann", "2 (evergate)", "1 (evergate)"}, []DueState{Done, Done}},
		{"the same without the store", func(w *town) {
			w.at(m, 0, "ann", one)
			w.cut(0, refuses)
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 60 * m})
			w.at(m, 0, "ann", Change{Value: value("3"), RevertAfter: 10 * m})
			w.hands.turn(10 * m)
			w.round(0)
			w.hands.turn(60 * m)
			w.round(0)
			holds(w.t, w.nodes[0], "k", "1")
		}, []string{"1 ann", "2 ann", "3 ann", "2 (evergate)", "1 (evergate)"}, []DueState{Done, Done}},
		{"the same with the store back in between", func(w *town) {
			w.at(m, 0, "ann", one)
			w.cut(0, refuses)
			w.at(m, 0, "ann", Change{Value: value("2"), RevertAfter: 60 * m})
			w.at(m, 0, "ann", Change{Value: value("3"), RevertAfter: 10 * m})
			w.hands.turn(10 * m)
			w.round(0)
			w.heal()
			w.hands.turn(60 * m)
			w.settle(1)
		}, []string{"1 ann", "2 ann", "3 ann", "2 (evergate)", "1 (evergate)"}, []DueState{Done, Done}},
		{"what was made and not acknowledged by the store is there once", func(w *town) {
			w.cut(0, mute)
			w.wires[0].set(mute)
			w.nodes[0].noteAway(nil)
			w.at(m, 0, "ann", Change{Value: value("1"), RevertAfter: time.Hour})
			w.at(m, 0, "ann", two)
		}, []string{"1 ann", "2 ann"}, []DueState{Pending}},
		{"a node that is killed with a journal gives it later", func(w *town) {
			w.cut(0, refuses)
			w.at(m, 0, "ann", one)
			w.open(0)
			w.round(0)
			w.at(m, 0, "ann", two)
			w.open(0)
		}, []string{"1 ann", "2 ann"}, nil},
		{"a node that is killed between the store and its own disk gives nothing twice", func(w *town) {
			w.cut(0, refuses)
			w.at(m, 0, "ann", Change{Value: value("1"), RevertAfter: time.Hour})
			w.wires[0].set(passes)
			must(w.t, w.nodes[0].pull(w.t.Context()))
			_, err := w.nodes[0].give(w.t.Context(), false)
			must(w.t, err)
			w.open(0) // the journal still has it
		}, []string{"1 ann"}, []DueState{Pending}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t, func() string { return t.TempDir() })
			tt.play(w)
			w.heal()
			w.want(tt.want...)
			if got := w.dues(); !slices.Equal(got, tt.dues) {
				t.Errorf("due changes are %v, want %v: %+v", got, tt.dues, w.nodes[0].Dues())
			}
			for i, s := range w.nodes {
				if st := s.State(); st.Journal > 0 || st.Lost || !s.journal.isEmpty() {
					t.Errorf("node %d: %+v", i, st)
				}
			}
		})
	}
}
