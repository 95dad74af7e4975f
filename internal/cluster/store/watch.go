package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	lookEvery    = 2 * time.Second         // between two looks at a store that is well
	probeLimit   = 1500 * time.Millisecond // for the answer of one that is well
	tryLimit     = 3 * time.Second         // for the first answer and a write, after a loss
	connectLimit = 15 * time.Second        // to open one, migrations apart
	retryFirst   = 200 * time.Millisecond  // after a loss; doubled from then on
	retryMost    = 5 * time.Second
)

// watch alone connects, and says whether the store is lost: it looks every now
// and then, and at once when a transaction failed. first gets the outcome of the
// first try. Waits are spread at random, so that twenty nodes do not return to a
// database in the same moment (S10).
func (s *Store) watch(ctx context.Context, first chan<- error) {
	defer close(s.stopped)
	wait := retryFirst
	first <- s.look(ctx)
	for {
		well := !s.State().Lost
		if well {
			wait = retryFirst
		}
		pause := wait
		if well {
			pause = lookEvery
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-s.poke:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if err := s.look(ctx); err != nil && !well {
			wait = min(2*wait, retryMost)
		}
	}
}

// prod asks watch to look now.
func (s *Store) prod() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// look probes a store that is well, and tries to get a lost one back.
func (s *Store) look(ctx context.Context) error {
	s.mu.Lock()
	current, state := s.engine, s.state
	s.mu.Unlock()
	switch {
	case errors.Is(state.Err, ErrReadOnly):
		return state.Err // for good: a second fsync may succeed and prove nothing (W1)
	case !state.Lost:
		return s.probe(ctx, current)
	case current != nil && s.kind == SQLite && (errors.Is(state.Err, ErrBusy) || errors.Is(state.Err, ErrFull)):
		return s.recover(ctx, current) // the file is the same, and opening it costs a look for damage
	default:
		return s.reconnect(ctx)
	}
}

func (s *Store) probe(ctx context.Context, current engine) error {
	probing, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	id, err := current.Probe(probing)
	if err == nil {
		err = s.seen.check(id)
	}
	if err != nil && ctx.Err() != nil {
		return err // of Close, which is no loss
	}
	if err != nil {
		s.lose(current, err)
		return err
	}
	s.found(current, id)
	return nil
}

// recover sees whether current takes changes again.
func (s *Store) recover(ctx context.Context, current engine) error {
	id, err := s.try(ctx, current)
	if err != nil {
		s.lose(current, err)
		return err
	}
	s.found(current, id)
	return nil
}

// try looks whether a store that was lost, or is new, can be used.
func (s *Store) try(ctx context.Context, found engine) (Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	id, err := found.Probe(ctx)
	if err == nil {
		err = s.seen.check(id)
	}
	if err == nil {
		err = found.Prove(ctx)
	}
	return id, err
}

// reconnect opens the store anew.
func (s *Store) reconnect(ctx context.Context) error {
	opening, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	opened, err := s.connect(opening)
	if err != nil {
		s.lose(nil, err)
		return err
	}
	id, err := s.try(opening, opened)
	if err != nil {
		s.lose(nil, err)
		s.discard(opened)
		return err
	}
	s.found(opened, id)
	return nil
}

// found takes opened into use.
func (s *Store) found(opened engine, id Identity) {
	s.mu.Lock()
	old, was, other := s.engine, s.state, id != s.id
	s.engine, s.id = opened, id
	switch {
	case was.Lost:
		s.setState(false, nil)
	case other:
		s.announce()
	}
	s.mu.Unlock()
	if old != nil && old != opened {
		s.discard(old)
	}
	if was.Lost {
		s.opts.Log.Info("the store is here", "kind", s.kind, "lost_for", time.Since(was.Since).Round(time.Millisecond))
		s.hub.wake("") // what was notified meanwhile is lost
	}
}

// lose says that the store is lost, unless of is no longer in use. PostgreSQL is
// let go, so that the next try starts with fresh connections; a local file can
// often still be read.
func (s *Store) lose(of engine, err error) {
	s.mu.Lock()
	if of != nil && of != s.engine {
		s.mu.Unlock()
		return
	}
	was, old := s.state, s.engine
	s.setState(true, err)
	if s.kind == Postgres {
		s.engine = nil
	} else {
		old = nil
	}
	s.mu.Unlock()
	if old != nil {
		s.discard(old)
	}
	if !was.Lost || kindOf(was.Err) != kindOf(err) {
		s.opts.Log.Warn("the store is lost", "kind", s.kind, "error", err, "advice", Advice(err))
	}
}

// note draws the conclusion from a failed transaction: some failures say that the
// store is lost, others that somebody should look.
func (s *Store) note(of engine, err error) {
	for _, kind := range []error{ErrFull, ErrCorrupt, ErrReadOnly, ErrSecondHost} {
		if errors.Is(err, kind) {
			s.lose(of, err)
			return
		}
	}
	if Lost(err) {
		s.prod()
	}
}

// discard closes an engine without waiting for it.
func (s *Store) discard(old engine) {
	s.closing.Go(func() {
		if err := old.Close(); err != nil {
			s.opts.Log.Debug("close what the store used before", "error", err)
		}
	})
}
