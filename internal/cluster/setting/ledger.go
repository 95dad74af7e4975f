package setting

import (
	"database/sql"

	"github.com/evergate/evergate/internal/cluster/store"
)

// ledger is the settings inside one transaction that changes them. Opening it locks
// the row that numbers the changes, until the transaction ends: what is read through
// it stays true, and revs are in the order of commit. Every change of either table
// goes through one.
type ledger struct {
	tx    *store.Tx
	node  string // this one
	store string // id of the store
	head  int64  // rev of the last change
	taken int64  // what setting_head says; head or more
}

// position is what a node has seen of a store: which it is, and its last change.
type position struct {
	store string // id; "": nothing was seen yet
	rev   int64
	id    string
}

// openLedger begins a ledger of the store that was seen at known, any store for the
// zero position; errNotMine if that is another one, or has lost what was seen. With
// one, the change that nearly always follows costs no second update of the head; a
// transaction that does not use it must end by an error.
func openLedger(tx *store.Tx, node string, known position, one bool) (*ledger, error) {
	l := &ledger{tx: tx, node: node}
	reserve := int64(0)
	if one {
		reserve = 1
	}
	var at sql.NullString
	err := tx.QueryRow(`UPDATE setting_head SET rev = rev + $1 WHERE one = 1
		RETURNING rev, (SELECT id FROM store_identity WHERE one = 1), (SELECT id FROM setting WHERE rev = $2)`,
		reserve, known.rev).Scan(&l.taken, &l.store, &at)
	if err != nil {
		return nil, err
	}
	if known.store != "" && (l.store != known.store || at.String != known.id) {
		return nil, errNotMine
	}
	l.head = l.taken - reserve
	return l, nil
}

// record adds v to the history and returns it as it is there. Its number is the
// caller's. Rev is 0, or one that it had and keeps where that is free.
func (l *ledger) record(v Version) (Version, error) {
	l.head = max(l.head+1, v.Rev)
	if l.head > l.taken {
		if _, err := l.tx.Exec(`UPDATE setting_head SET rev = $1 WHERE one = 1`, l.head); err != nil {
			return v, err
		}
		l.taken = l.head
	}
	v.Rev, v.Provisional = l.head, false
	if v.RecordedAt.IsZero() {
		v.RecordedAt = l.tx.Now()
	}
	return v, insert(l.tx, v)
}

// put makes a change. Errors: *ConflictError, ErrTooManyDue.
func (l *ledger) put(c Change, id string) (Result, error) {
	before, err := currentOf(l.tx, c.Key)
	if err != nil {
		return Result{}, err
	}
	if before.Number != c.Based {
		return Result{}, &ConflictError{Current: before}
	}
	r := Result{Stored: InStore}
	r.Version, r.Due = c.outcome(before, id, l.node, l.tx.Now())
	if r.Version.ID == id {
		if r.Version, err = l.record(r.Version); err != nil {
			return Result{}, err
		}
	}
	if r.Due == nil {
		return r, nil
	}
	if n, err := countWaiting(l.tx); err != nil || n >= maxDue {
		if err == nil {
			err = ErrTooManyDue
		}
		return Result{}, err
	}
	_, err = insertDue(l.tx, *r.Due)
	return r, err
}

// settle makes a due change whose time has come, or skips it because somebody has
// changed its setting since. It returns what became of it.
func (l *ledger) settle(d Due) (Due, error) {
	now := l.tx.Now()
	made, err := numberOf(l.tx, d.ID)
	if err != nil {
		return d, err
	}
	if made > 0 { // the store had lost that, and got it back
		d = d.settled(Done, now, "")
		_, err := settle(l.tx, d)
		return d, err
	}
	current, err := currentOf(l.tx, d.Key)
	if err != nil {
		return d, err
	}
	if current.Number != d.Based {
		d = d.settled(Skipped, now, skippedFor(current))
		_, err := settle(l.tx, d)
		return d, err
	}
	if err := l.make(d, current, d.version(current, l.node, now)); err != nil {
		return d, err
	}
	return d.settled(Done, now, ""), nil
}

// make records v, which d makes of before, and settles d.
func (l *ledger) make(d Due, before, v Version) error {
	v, err := l.record(v)
	if err != nil {
		return err
	}
	if _, err := settle(l.tx, d.settled(Done, v.At, "")); err != nil {
		return err
	}
	if d.Kind != Revert {
		return nil
	}
	// The version that the value goes back to may have a revert of its own, which is to
	// find it unchanged.
	return rebase(l.tx, d.Key, before.Number-1, v.Number)
}
