package setting

import "time"

// State is how the settings of a node are kept.
type State struct {
	Rev           int64     // of the last change seen in the store
	Lost          bool      // the store takes no changes now; they go into the journal
	LostError     error     // why; nil when Doubt says it
	Since         time.Time // since when it is lost, or not
	Doubt         string    // what is odd about the store that came back; "": nothing. Confirm ends it.
	Journal       int       // changes that wait for the store
	LastGood      time.Time // when the last-good file was written; zero: not since the start
	LastGoodError error     // why it is not up to date; nil: it is, or will be at once
	Due           int       // changes that wait for their time
	Overdue       int       // those of them whose time is over
	Skipped       []Due     // changes that were skipped lately, the last one first
}

// State returns how it is now. It asks nobody.
func (s *Service) State() State {
	lost := s.o.Store.State()
	written, saveErr := s.saver.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{
		Rev: s.book.rev, Lost: lost.Lost || s.away != nil || s.doubt != "", LostError: s.away, Since: s.awayAt, Doubt: s.doubt,
		Journal: len(s.book.journal), LastGood: written, LastGoodError: saveErr,
	}
	if lost.Lost {
		st.LostError, st.Since = lost.Err, lost.Since
	}
	if s.doubt != "" {
		st.LostError = nil
	}
	st.Due, st.Overdue = s.book.pending(s.o.Clock.Now())
	for _, d := range s.book.allDues() {
		if d.State == Skipped {
			st.Skipped = append(st.Skipped, d)
		}
	}
	return st
}
