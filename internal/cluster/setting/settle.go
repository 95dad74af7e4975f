package setting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// SettleDue makes the changes in the store whose time has come. It is one round of a
// job for the node that has its lease: fence (lease.Term.Fence) makes a transaction
// one that commits within the term or not at all. A change whose setting has another
// version by now is skipped, and says why.
func (s *Service) SettleDue(ctx context.Context, fence func(*store.Tx) error) error {
	s.mu.Lock()
	ready := s.away == nil && len(s.book.waiting()) > 0
	s.mu.Unlock()
	if !ready {
		return nil // without the store each node settles what it knows (settleHere)
	}
	var due bool
	err := s.o.Store.Read(ctx, func(tx *store.Tx) error {
		list, err := overdueDues(tx, tx.Now(), 1)
		due = len(list) > 0
		return err
	})
	if err != nil || !due {
		return err
	}
	var done []Due
	err = s.write(ctx, func(l *ledger) error {
		done = nil
		if err := fence(l.tx); err != nil {
			return err
		}
		list, err := overdueDues(l.tx, l.tx.Now(), batch)
		if err != nil {
			return err
		}
		for _, d := range list {
			if d, err = l.settle(d); err != nil {
				return fmt.Errorf("%s of %s: %w", d.Kind, d.Key, err)
			}
			done = append(done, d)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the changes that are due: %w", err)
	}
	for _, d := range done {
		s.logSettled(d, InStore)
	}
	return s.pull(ctx)
}

func (s *Service) logSettled(d Due, kept Stored) {
	s.log.Info("a change was due", "key", d.Key, "kind", d.Kind, "state", d.State, "note", d.Note, "asked_by", d.Actor, "reason", d.Reason, "kept", kept)
}

// errNothingDue ends a wish that has become pointless.
var errNothingDue = errors.New("nothing is due")

// settleHere makes the due changes that this node knows of, without the store. The
// journal brings them there later, where the first node that does it counts.
func (s *Service) settleHere() {
	for {
		var d Due
		_, err := s.enter(func(b *book) (entry, error) {
			now := s.o.Clock.Now()
			list := b.overdue(now)
			if len(list) == 0 {
				return entry{}, errNothingDue
			}
			e := b.settleFirst(list[0], s.o.Node, millis(now))
			d = e.Dues[0]
			return e, nil
		})
		if errors.Is(err, errNothingDue) {
			return
		}
		if err != nil {
			s.log.Error("a change is due and could not be made", "error", err)
			return
		}
		s.logSettled(d, InJournal)
	}
}

// settleFirst is what the journal has to say when the time of d has come.
func (b *book) settleFirst(d Due, node string, now time.Time) entry {
	current := b.current(d.Key)
	e := entry{Base: current.ID}
	if current.Number != d.Based {
		e.Dues = []Due{d.settled(Skipped, now, skippedFor(current))}
		return e
	}
	v := d.version(current, node, now)
	v.Provisional = true
	e.Version, e.Dues = &v, []Due{d.settled(Done, now, "")}
	if d.Kind != Revert {
		return e
	}
	// What waits for the version that the value goes back to is to find it unchanged.
	for _, other := range b.waiting() {
		if other.Key == d.Key && other.Based == current.Number-1 && other.ID != d.ID {
			other.Based = v.Number
			e.Dues = append(e.Dues, other)
		}
	}
	return e
}
