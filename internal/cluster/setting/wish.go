package setting

import (
	"errors"
	"fmt"
)

// wish is an entry that somebody wants in the journal.
type wish struct {
	make func(b *book) (entry, error) // decides by what is in force; b is read only
	made entry
	err  error
	done bool // guarded by turn, like the two above
}

// enter has an entry made on what is in force, and returns when it is durable in the
// journal and acted on. Wishes that come while others are written share one fsync.
// Errors: those of make; ErrNotKept, ErrUnsure.
func (s *Service) enter(make func(b *book) (entry, error)) (entry, error) {
	w := &wish{make: make}
	s.mu.Lock()
	s.wishes = append(s.wishes, w)
	s.mu.Unlock()
	s.turn.Lock()
	defer s.turn.Unlock()
	if !w.done {
		s.enterAll()
	}
	return w.made, w.err
}

// enterAll fulfils all wishes that are there. The caller holds turn.
func (s *Service) enterAll() {
	s.mu.Lock()
	wishes := s.wishes
	s.wishes = nil
	before := s.book.journal
	fresh := decide(s.book, wishes)
	s.mu.Unlock()
	if len(fresh) == 0 {
		return
	}
	if err := s.journal.append(before, fresh); err != nil {
		if !errors.Is(err, ErrUnsure) {
			err = fmt.Errorf("%w: %w", ErrNotKept, err)
		}
		for _, w := range wishes {
			w.err = err // of a conflict too: what it was with is not there
		}
		return
	}
	s.apply(func(b *book) (changed []Version) {
		// Appended to what is there now: the store may have taken some meanwhile.
		b.journal = append(b.journal[:len(b.journal):len(b.journal)], fresh...)
		for _, e := range fresh {
			if e.Version != nil {
				changed = append(changed, *e.Version)
			}
		}
		return changed
	})
	s.wake()
}

// decide makes the entries of wishes, each on what is in force after those before it.
func decide(b *book, wishes []*wish) (fresh []entry) {
	after := *b
	for _, w := range wishes {
		w.done = true
		if after.full() {
			w.err = fmt.Errorf("%w: the store is lost and the journal is full (%d entries)", ErrNotKept, len(after.journal))
			continue
		}
		if w.made, w.err = w.make(&after); w.err != nil {
			continue
		}
		w.made.Seq = after.nextSeq()
		after.journal = append(after.journal[:len(after.journal):len(after.journal)], w.made)
		fresh = append(fresh, w.made)
	}
	return fresh
}
