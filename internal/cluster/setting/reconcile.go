package setting

import (
	"strings"

	"github.com/evergate/evergate/internal/id"
)

// still begins the reason of a version that is there again, because a loser was
// written after it.
const still = "still in force: "

// againMark ends the id of such a version.
const againMark = "-again"

// enter writes into the store what was done without it, or what it lost. What it has
// already stays as it is, so entering again does nothing. Where somebody else changed
// the setting meanwhile, the later explicit human action is in force afterwards; both
// are in the history (T4).
func (l *ledger) enter(e entry) error {
	if e.Version == nil {
		return l.enterDues(e)
	}
	if there, err := numberOf(l.tx, e.Version.ID); err != nil || there > 0 {
		return err // with its due changes: they come in one transaction
	}
	current, err := currentOf(l.tx, e.Version.Key)
	if err != nil {
		return err
	}
	if e.made() {
		return l.enterMade(e, current)
	}
	wins, err := l.wins(e, current)
	if err != nil {
		return err
	}
	if !wins && strings.HasSuffix(e.Version.ID, againMark) {
		return nil // nobody did that; what is in force now was weighed against its winner
	}
	v, err := l.recordAfter(current, *e.Version, e.lost)
	if err != nil {
		return err
	}
	if !wins {
		if err := l.assert(current, v); err != nil {
			return err
		}
	}
	for _, d := range e.Dues {
		d.Based = v.Number
		if !wins && d.State == Pending {
			d = d.settled(Skipped, l.tx.Now(), skippedFor(current))
		}
		if _, err := insertDue(l.tx, d); err != nil {
			return err
		}
	}
	return nil
}

// wins reports whether the version of e is to be in force after it is recorded.
func (l *ledger) wins(e entry, current Version) (bool, error) {
	if e.follows(current) {
		return true, nil
	}
	if e.Version.Actor == Automatic || strings.HasSuffix(e.Version.ID, againMark) {
		return false, nil
	}
	acted, err := actedOn(l.tx, current.Key)
	return err == nil && !e.Version.At.Before(acted), err
}

// follows reports whether e was made on current: nobody has changed that since.
func (e entry) follows(current Version) bool {
	// What a store lost follows by its number too, if nothing is known of the version
	// before.
	return current.ID == e.Base || e.Base == "" && e.lost && current.Number == e.Version.Number-1
}

// recordAfter records v behind current. What the store had before, and has nothing
// of the key any more, keeps its number.
func (l *ledger) recordAfter(current, v Version, lost bool) (Version, error) {
	if current.Number > 0 || !lost {
		v.Number = current.Number + 1
	}
	return l.record(v)
}

// assert puts winner in force again behind loser, with what waits for it.
func (l *ledger) assert(winner, loser Version) error {
	again := winner
	again.ID, again.Number, again.Rev = id.New(l.tx.Now())+againMark, loser.Number+1, 0
	again.RecordedAt = l.tx.Now()
	if !strings.HasPrefix(again.Reason, still) {
		again.Reason = shorten(still + again.Reason)
	}
	if _, err := l.record(again); err != nil {
		return err
	}
	return rebase(l.tx, winner.Key, winner.Number, again.Number)
}

// enterMade writes a version that a due change made without the store: only if the
// change still waits there and nobody has changed the setting since. It is no act of
// a human, so otherwise it leaves no version behind.
func (l *ledger) enterMade(e entry, current Version) error {
	v := *e.Version
	var d Due
	for _, made := range e.Dues {
		if made.ID == v.ID {
			d = made
		}
	}
	found, known, err := dueOf(l.tx, d.ID)
	if err != nil || known && found.State != Pending {
		return err
	}
	if !e.follows(current) && !(known && found.Based == current.Number) {
		return l.close(d.settled(Skipped, l.tx.Now(), skippedFor(current)))
	}
	if v, err = l.recordAfter(current, v, e.lost); err != nil {
		return err
	}
	if err := l.close(d); err != nil {
		return err
	}
	if d.Kind != Revert {
		return nil
	}
	return rebase(l.tx, d.Key, current.Number-1, v.Number)
}

// enterDues writes what was done to due changes alone.
func (l *ledger) enterDues(e entry) error {
	for _, d := range e.Dues {
		if d.State == Pending {
			if based, err := numberOf(l.tx, e.Base); err != nil {
				return err
			} else if based > 0 {
				d.Based = based
			}
			if _, err := insertDue(l.tx, d); err != nil {
				return err
			}
			continue
		}
		if err := l.enterSettled(d); err != nil {
			return err
		}
	}
	return nil
}

// enterSettled writes that a due change does not wait any more. One that this node
// skipped may have what it waits for in the store, which then makes it.
func (l *ledger) enterSettled(d Due) error {
	if d.State == Skipped {
		found, known, err := dueOf(l.tx, d.ID)
		if err != nil {
			return err
		}
		current, err := currentOf(l.tx, d.Key)
		if err != nil || known && found.State == Pending && found.Based == current.Number {
			return err
		}
	}
	return l.close(d)
}

// close settles d in the store, or records it as settled if the store does not know
// it.
func (l *ledger) close(d Due) error {
	if inserted, err := insertDue(l.tx, d); err != nil || inserted {
		return err
	}
	_, err := settle(l.tx, d)
	return err
}

// refill writes a version of this node behind whatever the store has, because an
// operator said so.
func (l *ledger) refill(v Version) error {
	if there, err := numberOf(l.tx, v.ID); err != nil || there > 0 {
		return err
	}
	current, err := currentOf(l.tx, v.Key)
	if err != nil {
		return err
	}
	_, err = l.recordAfter(current, v, true)
	return err
}

// enterKnown writes due changes that a store had before.
func (l *ledger) enterKnown(dues []Due) error {
	for _, d := range dues {
		inserted, err := insertDue(l.tx, d)
		if err == nil && !inserted && d.State != Pending {
			_, err = settle(l.tx, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
