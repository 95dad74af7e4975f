package setting

import (
	"context"
	"fmt"
)

// replayPasses is how often the store is given what the journal has got meanwhile,
// before changes have to wait for a last time.
const replayPasses = 3

// replay gives the store what the journal has, in its order, and empties the
// journal. Entries have ids, so one that was given already, by a replay that was cut
// or by a commit whose answer was lost, does nothing.
func (s *Service) replay(ctx context.Context) error {
	given := 0
	for pass := 0; ; pass++ {
		n, err := s.give(ctx, pass == replayPasses)
		if err != nil {
			return fmt.Errorf("write the journal of settings into the store: %w", err)
		}
		given += n
		s.noteAway(nil) // it takes changes again: those of other settings need not wait for all passes
		if n == 0 || pass == replayPasses {
			break
		}
	}
	if given > 0 {
		s.log.Info("the store has taken what was kept in the journal of settings", "changes", given)
	}
	s.clearJournal()
	return nil
}

// give gives the store what the journal has now. With last no change can be added
// meanwhile, so the store has to be quick.
func (s *Service) give(ctx context.Context, last bool) (n int, err error) {
	if last {
		s.turn.Lock()
		defer s.turn.Unlock()
		limited, cancel := context.WithTimeout(ctx, learnLimit)
		defer cancel()
		ctx = limited
	}
	s.mu.Lock()
	entries := s.book.journal
	s.mu.Unlock()
	if len(entries) == 0 {
		return 0, nil
	}
	for rest := entries; len(rest) > 0; {
		now := rest[:min(batch, len(rest))]
		err := s.write(ctx, func(l *ledger) error {
			for _, e := range now {
				if err := l.enter(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		rest = rest[len(now):]
	}
	// First it is read back, so that what is in force does not go back in between.
	if err := s.pull(ctx); err != nil {
		return 0, err
	}
	upTo := entries[len(entries)-1].Seq
	s.apply(func(b *book) []Version { return b.drop(upTo) })
	s.saver.ask()
	return len(entries), nil
}

// clearJournal empties the file once the last-good file says that the store has all
// of it. A crash in between does no harm: that file says which entries count.
func (s *Service) clearJournal() {
	if s.journal.isEmpty() {
		return
	}
	if s.saver.behind() {
		s.saver.save()
	}
	if s.saver.behind() {
		return // the disk does not take it; another round will
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	grown := len(s.book.journal) > 0
	s.mu.Unlock()
	if grown {
		return
	}
	if err := s.journal.clear(); err != nil {
		s.log.Warn("the journal of settings could not be emptied; the store has its entries", "error", err)
	}
}
