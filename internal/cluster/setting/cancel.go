package setting

import (
	"context"
	"fmt"
)

// Cancel takes back a due change that waits. Errors: ErrUnknownDue, ErrSettled,
// ErrNoReason, *InvalidError, ErrNotKept, ErrUnsure.
func (s *Service) Cancel(ctx context.Context, id, actor, reason string) error {
	if err := checkWho(actor, reason); err != nil {
		return err
	}
	note := shorten(fmt.Sprintf("cancelled by %s: %s", actor, reason))
	s.mu.Lock()
	d, _ := s.book.due(id)
	s.mu.Unlock()
	if s.inStore(d.Key) {
		err := s.cancelInStore(ctx, id, note)
		if err == nil || !away(err) {
			return err
		}
		s.noteAway(err)
	}
	return s.cancelInJournal(id, note)
}

func (s *Service) cancelInStore(ctx context.Context, id, note string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putLimit)
	defer cancel()
	var d Due
	err := s.write(ctx, func(l *ledger) (err error) {
		var known bool
		switch d, known, err = dueOf(l.tx, id); {
		case err != nil:
			return err
		case !known:
			return ErrUnknownDue
		case d.State != Pending:
			return ErrSettled
		}
		d = d.settled(Cancelled, l.tx.Now(), note)
		_, err = settle(l.tx, d)
		return err
	})
	if err != nil {
		s.wake()
		return err
	}
	s.learnDue(d)
	return nil
}

// learnDue makes this node know what has become of a due change.
func (s *Service) learnDue(d Due) {
	ctx, cancel := context.WithTimeout(context.Background(), learnLimit)
	defer cancel()
	if s.pulling.lock(ctx) == nil { // a reader that began before would undo it, for a second
		defer s.pulling.unlock()
	}
	s.apply(func(b *book) []Version {
		b.dues[d.ID] = d
		return nil
	})
	s.saver.ask()
}

func (s *Service) cancelInJournal(id, note string) error {
	_, err := s.enter(func(b *book) (entry, error) {
		d, known := b.due(id)
		switch {
		case !known:
			return entry{}, ErrUnknownDue
		case d.State != Pending:
			return entry{}, ErrSettled
		}
		return entry{Dues: []Due{d.settled(Cancelled, s.o.Clock.Now(), note)}}, nil
	})
	return err
}
