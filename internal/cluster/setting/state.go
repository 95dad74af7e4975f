package setting

import "time"

// overdueGrace is how long a due change may be late before that is worth a word.
const overdueGrace = 5 * time.Second

// State is how the settings of a node are kept.
type State struct {
	Rev           int64     // of the last change seen in the store
	Lost          bool      // the store takes no changes now; they go into the journal
	LostError     error     // why; nil when Doubt says it
	Since         time.Time // since when it is lost, or not
	Doubt         string    // what is odd about the store that came back; "": nothing. Confirm ends it.
	Journal       int       // entries that wait for the store
	JournalError  error     // of the last write of the journal; nil: it was fine
	Damaged       int       // lines of the journal that could not be read at the start
	LastGood      time.Time // when the last-good file was written; zero: not since the start
	LastGoodError error     // why it is not up to date; nil: it is, or will be at once
	Due           int       // changes that wait for their time
	Overdue       int       // those of them whose time has been over for 5 s
	Skipped       []Due     // changes that were skipped lately, the last one first
}

// State returns how it is now. It asks nobody.
func (s *Service) State() State {
	lost := s.o.Store.State()
	written, saveErr := s.saver.state()
	journalErr := s.journal.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	rev, _ := s.book.mark()
	st := State{
		Rev: rev, Lost: lost.Lost || s.away != nil, LostError: s.away, Since: s.since, Doubt: s.doubt,
		Journal: len(s.book.journal), JournalError: journalErr, Damaged: s.damaged, LastGood: written, LastGoodError: saveErr,
	}
	if lost.Lost {
		st.LostError, st.Since = lost.Err, lost.Since
	}
	if s.doubt != "" {
		st.LostError = nil
	}
	all := s.book.allDues()
	st.Due = len(s.book.waiting())
	st.Overdue = len(s.book.overdue(s.o.Clock.Now().Add(-overdueGrace)))
	for _, d := range all {
		if d.State == Skipped {
			st.Skipped = append(st.Skipped, d)
		}
	}
	return st
}
