package store

import (
	"errors"
	"time"
)

// State is how the store is.
type State struct {
	Kind   Dialect   // "sqlite" or "postgres"
	Local  bool      // the database is this machine's own: SQLite
	Lost   bool      // it takes no changes now; they belong in the journal
	Err    error     // why it is lost; nil when it is not
	Advice string    // what a person can do, in whole sentences; "" when nothing
	Since  time.Time // of the last change of Lost
}

// State returns how the store is now, by what the last second or two showed.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Changed returns a channel that is closed when State, or which database it is,
// changes next. Take it before State, so that no change falls between the two.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// setState is called with s.mu held.
func (s *Store) setState(lost bool, err error) {
	same := lost == s.state.Lost && kindOf(err) == kindOf(s.state.Err)
	if lost != s.state.Lost {
		s.state.Since = time.Now()
	}
	s.state.Lost, s.state.Err, s.state.Advice = lost, err, Advice(err)
	if !same {
		s.announce()
	}
}

// announce tells those who wait on Changed; s.mu is held.
func (s *Store) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ready returns the engine, or why it takes no changes.
func (s *Store) ready() (engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Lost {
		return nil, s.state.Err
	}
	return s.engine, nil
}

// readable returns the engine, or why it cannot be read either.
func (s *Store) readable() (engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil || s.state.Lost && errors.Is(s.state.Err, ErrCorrupt) {
		return nil, s.state.Err
	}
	return s.engine, nil
}
