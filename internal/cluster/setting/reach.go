package setting

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// The times of a service. A change acts within a second, so what it may wait for is
// less than that in sum.
const (
	putLimit   = 750 * time.Millisecond // for the store to take a change, then it goes into the journal
	learnLimit = 300 * time.Millisecond // to read what was committed before a change
	savedLimit = 500 * time.Millisecond // for the last-good file, before a change is acknowledged
	localPause = 200 * time.Millisecond // before that file is written where the store is on the same disk
	pullLimit  = 2 * time.Second        // to read what is new
	pollEvery  = time.Second            // +-20 %
)

// errNotAsked says that the store was not asked yet.
var errNotAsked = errors.New("the store was not asked yet")

// errNotMine says that the store is not the one this node knows, or is behind what
// it has seen. Until that is cleared up it counts as lost.
var errNotMine = errors.New("the store is behind what this node has seen, or another one")

// away reports whether err says that the store could not take a change now.
func away(err error) bool {
	return store.Lost(err) || errors.Is(err, errNotMine) || errors.Is(err, context.DeadlineExceeded)
}

// unsure reports whether the change that failed by err may have been made.
func unsure(err error) bool {
	return errors.Is(err, store.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded)
}

// follow keeps this node up to date: it asks the store again and again, which is
// the truth, and sooner when it is woken, which is a hint (T3).
func (s *Service) follow(ctx context.Context) {
	wake, stop := s.o.Store.Listen(Channel)
	defer stop()
	for {
		changed := s.o.Store.Changed() // before the state is looked at
		s.round(ctx)
		timer := time.NewTimer(pollEvery*8/10 + rand.N(pollEvery*4/10))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-wake:
		case <-changed:
		case <-s.nudge:
		}
		timer.Stop()
	}
}

// wake makes follow look now.
func (s *Service) wake() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// round does once what there is to do: take over what is new in the store and give it
// what the journal has, or act without it.
func (s *Service) round(ctx context.Context) {
	err := s.reach(ctx)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // Stop was called; that says nothing of the store
	}
	s.noteAway(err)
	if err != nil {
		s.settleHere()
	}
}

// reach pulls and replays.
func (s *Service) reach(ctx context.Context) error {
	if state := s.o.Store.State(); state.Lost {
		if state.Err != nil {
			return state.Err
		}
		return store.ErrUnavailable
	}
	if err := s.pull(ctx); err != nil {
		return err
	}
	return s.replay(ctx)
}

// noteAway notes whether the store was to be had.
func (s *Service) noteAway(err error) {
	s.mu.Lock()
	was := s.away
	if (err == nil) != (was == nil) {
		s.since = s.o.Clock.Now()
	}
	s.away = err
	if err != nil && !errors.Is(err, errNotMine) {
		s.doubt = "" // it cannot be looked at, so nothing is known of it
	}
	s.mu.Unlock()
	switch {
	case err != nil && (was == nil || was == errNotAsked):
		s.log.Warn("the store of the settings is lost; changes are kept in this node's journal until it is back", "error", err)
	case err == nil && was != nil && was != errNotAsked:
		s.log.Info("the store of the settings is back")
	}
}

// noteDoubt notes what is odd about the store, "" for nothing.
func (s *Service) noteDoubt(doubt string) {
	s.mu.Lock()
	was := s.doubt
	s.doubt = doubt
	s.mu.Unlock()
	if doubt != "" && was == "" {
		s.log.Error("the store is another one than it was; it counts as lost until an operator confirms it (evergate store confirm)", "what", doubt)
	}
}

// inStore reports whether a change of key goes to the store: it was there the last
// time, and no change of key waits in the journal that must reach it first.
func (s *Service) inStore(key string) bool {
	if s.o.Store.State().Lost {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away == nil && !s.book.journaled(key)
}

// position is what this node has seen of the store.
func (s *Service) position() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, id := s.book.mark()
	return position{store: s.book.store, rev: rev, id: id}
}

// write runs fn on a ledger of the store that this node knows.
func (s *Service) write(ctx context.Context, fn func(l *ledger) error) error {
	return s.writeAt(ctx, s.position(), fn)
}

// writeAt runs fn on a ledger of the store that was seen at known.
func (s *Service) writeAt(ctx context.Context, known position, fn func(l *ledger) error) error {
	return s.o.Store.Write(ctx, func(tx *store.Tx) error {
		l, err := openLedger(tx, s.o.Node, known, false)
		if err != nil {
			return err
		}
		tx.Notify(Channel)
		return fn(l)
	})
}
