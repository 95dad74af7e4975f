package setting

import (
	"context"
	"fmt"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// SettleDue makes the changes in the store whose time has come. It is for the one
// node that has the lease of this job: fence makes the transaction one that
// commits within its term or not at all. A change whose setting has another
// version by now is skipped, and says why.
func (s *Service) SettleDue(ctx context.Context, fence func(*store.Tx) error) error {
	s.mu.Lock()
	waits, _ := s.book.pending(time.Time{})
	sure := s.away == nil && s.doubt == ""
	s.mu.Unlock()
	if waits == 0 || !sure {
		return nil // without the store each node settles what it knows (settleHere)
	}
	var any bool
	err := s.o.Store.Read(ctx, func(tx *store.Tx) error {
		list, err := overdue(tx, tx.Now())
		any = len(list) > 0
		return err
	})
	if err != nil || !any {
		return err
	}
	known := s.position()
	var made []string
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		made = nil
		if err := fence(tx); err != nil {
			return err
		}
		if _, err := known.next(tx); err != nil {
			return err
		}
		now := tx.Now()
		list, err := overdue(tx, now)
		if err != nil {
			return err
		}
		for _, d := range list {
			text, err := settleOne(tx, d, s.o.Node, now)
			if err != nil {
				return err
			}
			made = append(made, text)
		}
		tx.Notify(Channel)
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the changes that are due: %w", err)
	}
	for _, text := range made {
		s.log.Info("a change of a setting was due", "what", text)
	}
	s.wake()
	return nil
}

// settleOne makes or skips one due change, and says in words which.
func settleOne(tx *store.Tx, d Due, node string, now time.Time) (string, error) {
	current, err := currentOf(tx, d.Key)
	if err != nil {
		return "", err
	}
	if current.Number != d.Based {
		note := skippedFor(current)
		_, err := settle(tx, d.ID, Skipped, now, note)
		return fmt.Sprintf("%s: skipped, %s", d.Key, note), err
	}
	if _, err := settle(tx, d.ID, Done, now, ""); err != nil {
		return "", err
	}
	v := d.version(current, node, now)
	v.RecordedAt = now
	if v.Rev, err = nextRev(tx, 0); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s", d.Key, v.Reason), insert(tx, v)
}

// settleHere makes the due changes that this node knows of, without the store. The
// journal brings them there later, where the first node that does it counts.
func (s *Service) settleHere() {
	for s.settleNext(s.o.Clock.Now()) {
	}
}

// settleNext settles the first due change whose time is over, and reports whether
// there was one.
func (s *Service) settleNext(now time.Time) bool {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	list, journal := s.book.allDues(), s.book.journal
	if len(list) == 0 || list[0].State != Pending || list[0].At.After(now) {
		s.mu.Unlock()
		return false
	}
	d := list[0]
	current := s.book.current(d.Key)
	s.mu.Unlock()
	now = now.UTC().Truncate(time.Millisecond)
	d.Settled = now
	e := entry{Due: &d}
	if current.Number == d.Based {
		d.State = Done
		v := d.version(current, s.o.Node, now)
		v.Provisional = true
		e.Version = &v
	} else {
		d.State, d.Note = Skipped, skippedFor(current)
	}
	if err := s.enter(journal, e); err != nil {
		s.log.Error("a change that is due could not be made", "setting", d.Key, "error", err)
		return false
	}
	s.log.Info("a change of a setting was due", "setting", d.Key, "state", d.State, "kept", InJournal)
	return true
}

// version is what d makes of the version before it.
func (d Due) version(before Version, node string, now time.Time) Version {
	v := Version{Key: d.Key, Number: before.Number + 1, ID: d.ID, Value: d.Value, Node: node, At: now}
	v.Actor = Automatic
	switch d.Kind {
	case Revert:
		v.Reason = shorten(fmt.Sprintf("back to the value before version %d, which %s had set for a time: %s", d.Based, d.Actor, d.Reason))
	default:
		v.Reason = shorten(fmt.Sprintf("asked for by %s on %s: %s", d.Actor, d.Created.Format(time.RFC3339), d.Reason))
	}
	return v
}

// skippedFor says why a due change was skipped.
func skippedFor(current Version) string {
	if current.Number == 0 {
		return "the setting has no version any more"
	}
	return shorten(fmt.Sprintf("%s has changed it since (version %d): %s", current.Actor, current.Number, current.Reason))
}

// shorten bounds a text that was made of others.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason-3]) + "..."
	}
	return text
}

// Cancel takes back a due change that waits. Errors: ErrUnknownDue, ErrSettled,
// ErrNoReason, *InvalidError, ErrNotKept.
func (s *Service) Cancel(ctx context.Context, id, actor, reason string) error {
	if !line(reason, maxReason) {
		return ErrNoReason
	}
	if !line(actor, maxActor) {
		return &InvalidError{Field: "actor", Message: "a change needs somebody who made it"}
	}
	note := shorten(fmt.Sprintf("cancelled by %s: %s", actor, reason))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putLimit)
	defer cancel()
	if s.inStore() {
		err := s.cancelInStore(ctx, id, note)
		if err == nil || !away(err) {
			return err
		}
		s.noteAway(err)
	}
	return s.cancelHere(id, note)
}

func (s *Service) cancelInStore(ctx context.Context, id, note string) error {
	known := s.position()
	var rev int64
	err := s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if rev, err = known.next(tx); err != nil {
			return err
		}
		was, err := settle(tx, id, Cancelled, tx.Now(), note)
		if err != nil {
			return err
		}
		if was {
			tx.Notify(Channel)
			return nil
		}
		_, found, err := dueOf(tx, id)
		switch {
		case err != nil:
			return err
		case found:
			return ErrSettled
		}
		return ErrUnknownDue
	})
	if err != nil {
		return err
	}
	s.learn(ctx, Result{Version: Version{Rev: rev}})
	return nil
}

func (s *Service) cancelHere(id, note string) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	list, journal := s.book.allDues(), s.book.journal
	s.mu.Unlock()
	for _, d := range list {
		if d.ID != id {
			continue
		}
		if d.State != Pending {
			return ErrSettled
		}
		d.State, d.Settled, d.Note = Cancelled, s.o.Clock.Now().UTC().Truncate(time.Millisecond), note
		return s.enter(journal, entry{Due: &d})
	}
	return ErrUnknownDue
}
