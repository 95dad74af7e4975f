package setting

import (
	"context"
	"fmt"

	"github.com/evergate/evergate/internal/cluster/store"
)

// Automatic is the actor of what no human did: changes that fell due. It cannot be
// the name of a user.
const Automatic = "(evergate)"

// replay gives the store what the journal has, in its order, and empties the
// journal. Entries have ids, so one that was given already, by a replay that was cut
// or by a commit whose answer was lost, does nothing.
func (s *Service) replay(ctx context.Context) error {
	done := 0
	for {
		s.mu.Lock()
		entries := s.book.journal
		s.mu.Unlock()
		if len(entries) == 0 {
			return nil
		}
		for ; done < len(entries); done++ {
			if err := s.give(ctx, entries[done]); err != nil {
				return fmt.Errorf("write the journal of settings into the store: %w", err)
			}
		}
		if all, err := s.finishReplay(ctx, done); all || err != nil {
			return err
		}
	}
}

// finishReplay empties the journal if it has not grown since done entries were
// given.
func (s *Service) finishReplay(ctx context.Context, done int) (all bool, err error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	grown := len(s.book.journal) != done
	s.mu.Unlock()
	if grown {
		return false, nil
	}
	limited, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	if err := s.pull(limited); err != nil {
		return false, err
	}
	// First the file: if it cannot be emptied its entries are given again after a
	// restart, and do nothing.
	if err := s.journal.clear(); err != nil {
		s.log.Warn("the journal of settings could not be emptied; its entries are in the store", "error", err)
	}
	s.apply(func(b *book) (changed []Version) {
		before := b.all()
		b.journal = nil
		for _, v := range before {
			if now := b.current(v.Key); now.ID != v.ID || now.Provisional != v.Provisional {
				changed = append(changed, now)
			}
		}
		return changed
	})
	s.log.Info("the store has taken what was kept in the journal of settings", "changes", done)
	return true, nil
}

// give writes one entry of the journal into the store.
func (s *Service) give(ctx context.Context, e entry) error {
	limited, cancel := context.WithTimeout(ctx, replayLimit)
	defer cancel()
	known := s.position()
	return s.o.Store.Write(limited, func(tx *store.Tx) error {
		if _, err := known.next(tx); err != nil { // locks the head before anything is read
			return err
		}
		defer tx.Notify(Channel)
		switch {
		case e.Due != nil && e.Due.State != Pending:
			return giveSettled(tx, e)
		case e.Version == nil:
			return insertDue(tx, *e.Due)
		}
		placed, won, err := place(tx, *e.Version)
		if err != nil || e.Due == nil {
			return err
		}
		d := *e.Due
		d.Based = placed.Number
		if !won {
			d.State, d.Settled, d.Note = Skipped, tx.Now(), "a later change of somebody else had won"
		}
		return insertDue(tx, d)
	})
}

// giveSettled writes into the store that a due change does not wait any more, if
// nobody else was faster.
func giveSettled(tx *store.Tx, e entry) error {
	d, known, err := dueOf(tx, e.Due.ID)
	if err != nil {
		return err
	}
	if !known {
		// The store that it waited in has gone, or lost it.
		if err := insertDue(tx, *e.Due); err != nil || e.Version == nil {
			return err
		}
		_, _, err := place(tx, *e.Version)
		return err
	}
	if d.State != Pending {
		return nil
	}
	state, note := e.Due.State, e.Due.Note
	if state == Done {
		current, err := currentOf(tx, d.Key)
		if err != nil {
			return err
		}
		if current.Number != d.Based {
			state, note = Skipped, skippedFor(current)
		}
	}
	if _, err := settle(tx, d.ID, state, e.Due.Settled, note); err != nil || state != Done {
		return err
	}
	_, _, err = place(tx, *e.Version)
	return err
}

// place writes a version into the store that was made without it, with the number
// that it gets there. When the store has a later change of somebody, that one
// stays in force (T4): v is written, and the winner again after it. placed is v's
// place; of a version that is there already it is the one found.
func place(tx *store.Tx, v Version) (placed Version, won bool, err error) {
	if found, err := scanVersion(tx.QueryRow(`SELECT `+versionColumns+` FROM setting WHERE id = $1`, v.ID)); err == nil {
		current, err := currentOf(tx, v.Key)
		return found, current.ID == v.ID, err
	} else if !store.NoRows(err) {
		return v, false, err
	}
	before, err := currentOf(tx, v.Key)
	if err != nil {
		return v, false, err
	}
	v.Provisional = false
	v.Number, v.RecordedAt = before.Number+1, tx.Now()
	if v.Rev, err = nextRev(tx, 0); err != nil {
		return v, false, err
	}
	if err := insert(tx, v); err != nil {
		return v, false, err
	}
	if before.Number == 0 || beats(v, before) {
		return v, true, nil
	}
	again := before
	again.ID, again.Number, again.RecordedAt = v.ID+"-kept", v.Number+1, v.RecordedAt
	if again.Rev, err = nextRev(tx, 0); err != nil {
		return v, false, err
	}
	return v, false, insert(tx, again)
}

// beats reports whether v, which reached the store later, stays in force over what
// the store has: the later explicit action of a human wins.
func beats(v, other Version) bool {
	if (v.Actor == Automatic) != (other.Actor == Automatic) {
		return other.Actor == Automatic
	}
	return !v.At.Before(other.At)
}

// push writes into the store what this node knows and it lacks. With everything
// also what is older than the last keptVersions; else the store has that.
func (s *Service) push(ctx context.Context, everything bool) error {
	s.mu.Lock()
	g := s.book.snapshot(s.o.Node, s.o.Clock.Now())
	s.mu.Unlock()
	list := g.Recent
	if everything {
		list = g.missingFromRecent()
	}
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if _, err := nextRev(tx, g.Rev); err != nil { // what follows is new to all other nodes too
			return err
		}
		for _, v := range list {
			if err := pushVersion(tx, v); err != nil {
				return err
			}
		}
		for _, d := range g.Dues {
			if err := insertDue(tx, d); err != nil {
				return err
			}
		}
		tx.Notify(Channel)
		return nil
	})
}

// missingFromRecent is all that g knows: current versions that are older than the
// recent ones, then those.
func (g *lastGood) missingFromRecent() []Version {
	have := make(map[string]bool, len(g.Recent))
	for _, v := range g.Recent {
		have[v.ID] = true
	}
	var list []Version
	for _, v := range g.Current {
		if !have[v.ID] {
			list = append(list, v)
		}
	}
	return append(list, g.Recent...)
}

// pushVersion writes a version that the store once had, under its own number where
// that is free.
func pushVersion(tx *store.Tx, v Version) error {
	there, err := recorded(tx, v.ID)
	if there || err != nil {
		return err
	}
	current, err := currentOf(tx, v.Key)
	if err != nil {
		return err
	}
	if current.Number >= v.Number {
		_, _, err := place(tx, v) // somebody else has changed it since
		return err
	}
	if v.Rev, err = nextRev(tx, 0); err != nil {
		return err
	}
	v.RecordedAt = tx.Now()
	return insert(tx, v)
}
