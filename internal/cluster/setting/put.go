package setting

import (
	"context"
	"errors"
	"fmt"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/id"
)

// Put makes a change, and returns when it is durable and this process acts on it.
// While the store is lost that is the journal of this node (T4), and the version is
// provisional: its number may be another one when the store has it. Put goes on when
// ctx is cancelled (W3). Errors: *ConflictError, ErrNoReason, *InvalidError,
// *UnknownKeyError, ErrTooManyDue, those of Options.Check, ErrNotKept: nothing was
// changed; ErrUnsure: it may have been made.
func (s *Service) Put(ctx context.Context, c Change) (Result, error) {
	now := s.o.Clock.Now()
	if err := c.check(now); err != nil {
		return Result{}, err
	}
	if err := s.o.Check(c.Key, c.Value); err != nil {
		return Result{}, err
	}
	if !s.room(c.Key) {
		return Result{}, errTooManyKeys
	}
	change := id.New(now)
	var doubt error // of the store: it may have made the change
	if s.inStore(c.Key) {
		r, err := s.putInStore(ctx, c, change)
		if err == nil {
			s.metrics.changed(InStore)
			return r, nil
		}
		if !away(err) {
			return Result{}, err
		}
		s.noteAway(err)
		if unsure(err) {
			doubt = err
		}
	}
	r, err := s.putInJournal(c, change)
	switch {
	case err == nil:
		s.metrics.changed(InJournal)
	case doubt != nil && !errors.Is(err, ErrUnsure):
		// Not wrapped: whoever looks for a conflict must not find one here.
		err = fmt.Errorf("%w (%v; then %v)", ErrUnsure, doubt, err)
	}
	return r, err
}

// room reports whether key is known or another key may be.
func (s *Service) room(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.book.known) < maxKeys || s.book.current(key).Number > 0
}

// putInStore makes a change in the store.
func (s *Service) putInStore(ctx context.Context, c Change, change string) (r Result, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putLimit)
	defer cancel()
	known := s.position()
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		l, err := openLedger(tx, s.o.Node, known, c.At.IsZero())
		if err != nil {
			return err
		}
		tx.Notify(Channel)
		r, err = l.put(c, change)
		return err
	})
	if errors.Is(err, store.ErrUnique) {
		// The lock on the head keeps that from happening, unless somebody wrote past it.
		s.wake()
		current, _ := s.Current(c.Key)
		return Result{}, &ConflictError{Current: current}
	}
	if err != nil {
		s.wake() // a conflict as well: this node does not know of a change
		return Result{}, err
	}
	s.learn(r)
	return r, nil
}

// learn makes this process act on what it has committed, with everything that was
// committed before it, and waits until it is on this node's disk too where the store
// is elsewhere.
func (s *Service) learn(r Result) {
	ctx, cancel := context.WithTimeout(context.Background(), learnLimit)
	defer cancel()
	if err := s.catchUp(ctx, r); err != nil {
		// It is committed, so it acts; what came before it follows when the store is back.
		s.apply(func(b *book) []Version { return b.takeAlone(r) })
		s.saver.ask()
		s.wake()
	}
	if s.o.Store.State().Local {
		return
	}
	// Whether or not that can be written: the change is durable, and State tells.
	if err := s.saver.wait(savedLimit); errors.Is(err, errLate) {
		s.log.Warn("a change was acknowledged before it was among the last-good settings", "key", r.Version.Key, "error", err)
	}
}

// catchUp brings this node to r, which was just committed.
func (s *Service) catchUp(ctx context.Context, r Result) error {
	if err := s.pulling.lock(ctx); err != nil {
		return err
	}
	defer s.pulling.unlock()
	s.mu.Lock()
	seen, _ := s.book.mark()
	next, read := r.Version.Rev == seen+1, s.book.has(r.Version)
	s.mu.Unlock()
	if !next && !read {
		return s.pullLocked(ctx)
	}
	// Whoever has read it has read its due change too, but not one that came without a
	// version.
	s.apply(func(b *book) []Version {
		if r.Due != nil && (next || r.Due.Kind == Later) {
			b.dues[r.Due.ID] = *r.Due
		}
		return b.take([]Version{r.Version})
	})
	s.saver.ask()
	return nil
}

// takeAlone adds what this node itself has committed, while what was committed
// before it is not known yet: the mark stays, so that it is read later.
func (b *book) takeAlone(r Result) (changed []Version) {
	if b.learn(r.Version) {
		changed = append(changed, b.current(r.Version.Key))
	}
	if r.Due != nil {
		b.dues[r.Due.ID] = *r.Due
	}
	return changed
}

// putInJournal makes a change without the store.
func (s *Service) putInJournal(c Change, change string) (Result, error) {
	r := Result{Stored: InJournal}
	_, err := s.enter(func(b *book) (entry, error) {
		before := b.current(c.Key)
		if before.Number != c.Based {
			return entry{}, &ConflictError{Current: before}
		}
		r.Version, r.Due = c.outcome(before, change, s.o.Node, s.o.Clock.Now())
		e := entry{Base: before.ID}
		if r.Version.ID == change {
			r.Version.Provisional = true
			made := r.Version
			e.Version = &made
		}
		if r.Due != nil {
			if len(b.waiting()) >= maxDue {
				return entry{}, ErrTooManyDue
			}
			e.Dues = []Due{*r.Due}
		}
		return e, nil
	})
	return r, err
}
