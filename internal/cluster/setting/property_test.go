package setting

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evergate/evergate/internal/cluster/store"
)

// story is a town to which random things happen, and what was acknowledged in it.
type story struct {
	*town
	rt    *rapid.T
	acked map[string]Version // by id
	dued  []string           // ids of due changes that were acknowledged
	ended map[string]bool    // those that waited no more when a failover came
	n     int
}

// freely are keys without due changes, so that the last human action is in force.
var freely = []string{"a", "b"}

func (p *story) put(revert, later bool) {
	i, key := rapid.IntRange(0, 1).Draw(p.rt, "node"), "due"
	if !revert && !later {
		key = rapid.SampledFrom(freely).Draw(p.rt, "key")
	}
	p.n++
	c := Change{Key: key, Value: value(fmt.Sprint(p.n)), Actor: "ann", Reason: fmt.Sprint("change ", p.n)}
	if rapid.IntRange(0, 9).Draw(p.rt, "reset") == 0 {
		c.Value = nil
	}
	if revert {
		c.RevertAfter = time.Duration(rapid.IntRange(1, 100).Draw(p.rt, "revert")) * time.Second
	}
	if later {
		c.At = p.hands.now.Add(time.Duration(rapid.IntRange(2, 100).Draw(p.rt, "later")) * time.Second)
	}
	now, _ := p.nodes[i].Current(key)
	c.Based = now.Number
	p.hands.turn(time.Second) // no two at one moment
	r, err := p.nodes[i].Put(p.t.Context(), c)
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		return // the other node was faster
	}
	if err != nil {
		p.rt.Fatalf("put: %v", err)
	}
	if !later {
		p.acked[r.Version.ID] = r.Version
	}
	if r.Due != nil {
		p.dued = append(p.dued, r.Due.ID)
	}
}

func (p *story) node() int { return rapid.IntRange(0, 1).Draw(p.rt, "node") }

func (p *story) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"change":          func(*rapid.T) { p.put(false, false) },
		"another":         func(*rapid.T) { p.put(false, false) },
		"with a revert":   func(*rapid.T) { p.put(true, false) },
		"at a later time": func(*rapid.T) { p.put(false, true) },
		"cut": func(*rapid.T) {
			p.wires[p.node()].set(rapid.SampledFrom([]mode{refuses, errs, mute}).Draw(p.rt, "mode"))
		},
		"mend":  func(*rapid.T) { p.wires[p.node()].set(passes) },
		"round": func(*rapid.T) { p.round(p.node()) },
		"kill":  func(*rapid.T) { p.open(p.node()) },
		"settle": func(*rapid.T) {
			_ = p.nodes[p.node()].SettleDue(p.t.Context(), nofence) // the store may be away
		},
		"time goes by": func(*rapid.T) { p.hands.turn(time.Duration(rapid.IntRange(1, 60).Draw(p.rt, "s")) * time.Second) },
		"cancel": func(*rapid.T) {
			if len(p.dued) > 0 {
				id := rapid.SampledFrom(p.dued).Draw(p.rt, "due")
				err := p.nodes[p.node()].Cancel(p.t.Context(), id, "ann", "not now")
				if err != nil && !errors.Is(err, ErrUnknownDue) && !errors.Is(err, ErrSettled) {
					p.rt.Fatalf("cancel: %v", err)
				}
			}
		},
	}
}

// snapshot is all that the store has, as a standby may have it.
type snapshot struct {
	versions []Version
	dues     []Due
}

func (p *story) copy() (c snapshot) {
	must(p.t, p.store.Read(p.t.Context(), func(tx *store.Tx) (err error) {
		if c.versions, err = since(tx, 0); err == nil {
			c.dues, err = selectDues(tx, `SELECT `+dueColumns+` FROM setting_due`)
		}
		return err
	}))
	return c
}

// fallBack is a failover to a standby that has c and not what came later.
func (p *story) fallBack(c snapshot) {
	for _, d := range p.copy().dues {
		p.ended[d.ID] = p.ended[d.ID] || d.State != Pending
	}
	must(p.t, p.store.Write(p.t.Context(), func(tx *store.Tx) error {
		for _, statement := range []string{`DELETE FROM setting`, `DELETE FROM setting_due`, `UPDATE setting_head SET rev = 0`} {
			if _, err := tx.Exec(statement); err != nil {
				return err
			}
		}
		l, err := openLedger(tx, "", position{}, false)
		if err != nil {
			return err
		}
		for _, v := range c.versions {
			if _, err := l.record(v); err != nil {
				return err
			}
		}
		for _, d := range c.dues {
			if _, err := insertDue(tx, d); err != nil {
				return err
			}
		}
		return nil
	}))
}

// everything reads the whole history, in the order of commit.
func (p *story) everything() (all []Version) {
	must(p.t, p.store.Read(p.t.Context(), func(tx *store.Tx) (err error) {
		all, err = since(tx, 0)
		return err
	}))
	return all
}

// check holds the invariants of DESIGN.md.
func (p *story) check() {
	p.heal()
	all := p.everything()
	there, last, acted := map[string]Version{}, map[string]Version{}, map[string]Version{}
	for i, v := range all {
		if v.Rev != int64(i+1) {
			p.rt.Fatalf("rev %d at place %d", v.Rev, i+1)
		}
		if v.Number != last[v.Key].Number+1 {
			p.rt.Fatalf("%s: version %d follows %d", v.Key, v.Number, last[v.Key].Number)
		}
		there[v.ID], last[v.Key] = v, v
		if v.Actor != Automatic && v.At.After(acted[v.Key].At) {
			acted[v.Key] = v
		}
	}
	for id, v := range p.acked {
		found, ok := there[id]
		if !ok || !found.At.Equal(v.At) || found.Actor != v.Actor || found.Reason != v.Reason || string(found.Value) != string(v.Value) || found.Node != v.Node {
			p.rt.Fatalf("acknowledged %+v, in the history %t %+v", v, ok, found)
		}
	}
	for _, key := range freely {
		if string(last[key].Value) != string(acted[key].Value) {
			p.rt.Fatalf("%s: in force %+v, the last human action is %+v", key, last[key], acted[key])
		}
	}
	for i, s := range p.nodes {
		if st := s.State(); st.Journal > 0 || st.Lost || st.Doubt != "" {
			p.rt.Fatalf("node %d: %+v", i, st)
		}
		for _, v := range s.All() {
			if v.differs(last[v.Key]) {
				p.rt.Fatalf("node %d has %+v, the store %+v", i, v, last[v.Key])
			}
		}
		if len(s.All()) != len(last) {
			p.rt.Fatalf("node %d has %d keys of %d", i, len(s.All()), len(last))
		}
	}
	p.checkDues()
}

// checkDues holds that no acknowledged due change is lost, and that both nodes know
// those that wait.
func (p *story) checkDues() {
	must(p.t, p.store.Read(p.t.Context(), func(tx *store.Tx) error {
		for _, id := range p.dued {
			if _, known, err := dueOf(tx, id); err != nil || !known && !p.ended[id] {
				p.rt.Fatalf("due change %s is there: %t, %v", id, known, err)
			}
		}
		waiting, err := waitingDues(tx)
		if err != nil {
			return err
		}
		for i, s := range p.nodes {
			if !slices.EqualFunc(s.book.waiting(), waiting, Due.same) {
				p.rt.Fatalf("node %d has %+v waiting, the store %+v", i, s.book.waiting(), waiting)
			}
		}
		return nil
	}))
}

func TestService_KeepsItsPromisesWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &story{town: newTown(t, t.TempDir), rt: rt, acked: map[string]Version{}, ended: map[string]bool{}}
		defer p.store.Close()
		rt.Repeat(p.actions())
		p.check()
	})
}

// TestService_AFailoverThatLosesCommitsLosesNoChange is the same with a database that
// falls back to an earlier state again and again. A node that is killed has its last-good
// file, as an acknowledgement waits for that where the store is elsewhere.
func TestService_AFailoverThatLosesCommitsLosesNoChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &story{town: newTown(t, t.TempDir), rt: rt, acked: map[string]Version{}, ended: map[string]bool{}}
		defer p.store.Close()
		actions := p.actions()
		standby := p.copy()
		actions["the standby catches up"] = func(*rapid.T) { standby = p.copy() }
		actions["failover"] = func(*rapid.T) { p.fallBack(standby) }
		actions["kill"] = func(*rapid.T) {
			i := p.node()
			p.nodes[i].saver.save()
			p.open(i)
		}
		rt.Repeat(actions)
		p.check()
	})
}
