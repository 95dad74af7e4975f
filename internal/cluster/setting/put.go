package setting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/id"
)

// The bounds of a change.
const (
	maxValue    = 64 << 10
	maxReason   = 500 // runes
	maxActor    = 200 // runes
	maxKey      = 512 // bytes
	leastRevert = time.Second
	maxWait     = 366 * 24 * time.Hour
)

// errNotMine says that the store is not the one this node knows, or is behind it.
// Until that is cleared up it counts as lost.
var errNotMine = errors.New("the store is behind what this node has seen, or another one")

// Put makes a change, and returns when it is durable and this process acts on it.
// While the store is lost that is the journal of this node (T4). It goes on when ctx
// is cancelled. Errors: *ConflictError, ErrNoReason, *InvalidError, ErrTooManyDue,
// those of Options.Check, ErrNotKept; in every case nothing was changed.
func (s *Service) Put(ctx context.Context, c Change) (Result, error) {
	now := s.o.Clock.Now()
	if err := s.check(c, now); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putLimit)
	defer cancel()
	change := id.New(now)
	if s.inStore() {
		r, err := s.putInStore(ctx, c, change)
		if err == nil {
			s.metrics.change(InStore)
			return r, nil
		}
		if !away(err) {
			return Result{}, err
		}
		s.noteAway(err)
	}
	r, err := s.putInJournal(c, change)
	if err == nil {
		s.metrics.change(InJournal)
	}
	return r, err
}

// away reports whether err says that the store could not take a change now.
func away(err error) bool {
	return store.Lost(err) || errors.Is(err, errNotMine) || errors.Is(err, context.DeadlineExceeded)
}

// check says what is wrong with a change, apart from its base.
func (s *Service) check(c Change, now time.Time) error {
	if c.Key == "" || len(c.Key) > maxKey {
		return &UnknownKeyError{Key: c.Key}
	}
	if !line(c.Reason, maxReason) {
		return ErrNoReason
	}
	if !line(c.Actor, maxActor) {
		return &InvalidError{Field: "actor", Message: "a change needs somebody who made it"}
	}
	if len(c.Value) > maxValue {
		return &InvalidError{Field: "value", Message: fmt.Sprintf("it has %d bytes, and at most %d are kept", len(c.Value), maxValue)}
	}
	if c.Value != nil && !json.Valid(c.Value) {
		return &InvalidError{Field: "value", Message: "it is no JSON"}
	}
	switch {
	case c.RevertAfter != 0 && (c.RevertAfter < leastRevert || c.RevertAfter > maxWait):
		return &InvalidError{Field: "revert_after", Message: "want a time from 1s to a year"}
	case !c.At.IsZero() && !c.At.After(now):
		return &InvalidError{Field: "at", Message: fmt.Sprintf("%s is over; leave it out to make the change now", c.At.Format(time.RFC3339))}
	case !c.At.IsZero() && c.At.Sub(now) > maxWait:
		return &InvalidError{Field: "at", Message: "want a time within a year"}
	case !c.At.IsZero() && c.RevertAfter != 0:
		return &InvalidError{Field: "revert_after", Message: "a change at a later time cannot revert by itself; make it when the time has come"}
	}
	return s.o.Check(c.Key, c.Value)
}

// line reports whether text is one line of 1 to most characters that a person can
// see.
func line(text string, most int) bool {
	return strings.TrimSpace(text) != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) })
}

// putInStore makes a change in the store.
func (s *Service) putInStore(ctx context.Context, c Change, change string) (Result, error) {
	known := s.position()
	var r Result
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		r = Result{Stored: InStore}
		rev, err := known.next(tx)
		if err != nil {
			return err
		}
		before, err := currentOf(tx, c.Key)
		if err != nil {
			return err
		}
		if before.Number != c.Based {
			return &ConflictError{Current: before}
		}
		r.Version, r.Due = c.outcome(before, change, s.o.Node, tx.Now())
		if r.Version.ID == change {
			r.Version.Rev, r.Version.RecordedAt = rev, r.Version.At
			if err := insert(tx, r.Version); err != nil {
				return err
			}
		}
		if r.Due != nil {
			if n, err := waiting(tx); err != nil {
				return err
			} else if n >= maxDue {
				return ErrTooManyDue
			}
			if err := insertDue(tx, *r.Due); err != nil {
				return err
			}
		}
		tx.Notify(Channel)
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	s.learn(ctx, r)
	return r, nil
}

// outcome is what a change based on before makes: the version in force after it,
// and a due change or nil. Only a version of the change's own id is new.
func (c Change) outcome(before Version, change, node string, now time.Time) (Version, *Due) {
	now = now.UTC().Truncate(time.Millisecond)
	if !c.At.IsZero() {
		return before, &Due{
			ID: change, Key: c.Key, Kind: Later, Based: before.Number, At: c.At.UTC().Truncate(time.Millisecond), Value: c.Value,
			Actor: c.Actor, Reason: c.Reason, Created: now, State: Pending,
		}
	}
	v := Version{Key: c.Key, Number: before.Number + 1, ID: change, Value: c.Value, Actor: c.Actor, Reason: c.Reason, Node: node, At: now}
	if c.RevertAfter == 0 {
		return v, nil
	}
	return v, &Due{
		ID: change + "-revert", Key: c.Key, Kind: Revert, Based: v.Number, At: now.Add(c.RevertAfter).Truncate(time.Millisecond), Value: before.Value,
		Actor: c.Actor, Reason: c.Reason, Created: now, State: Pending,
	}
}

// learn makes this process act on what was committed, with everything that was
// committed before it.
func (s *Service) learn(ctx context.Context, r Result) {
	s.mu.Lock()
	seen := s.book.rev
	s.mu.Unlock()
	if seen < r.Version.Rev || r.Due != nil {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), putLimit/2)
		defer cancel()
		if err := s.pull(limited); err != nil {
			// It is committed, so it acts; what came before it follows when the store is back.
			s.apply(func(b *book) []Version { return b.takeAlone(r) })
		}
	}
	if !s.o.Store.State().Local {
		s.saver.wait(savedLimit)
	}
}

// putInJournal makes a change without the store.
func (s *Service) putInJournal(c Change, change string) (Result, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	before, journal := s.book.current(c.Key), s.book.journal
	waiting, _ := s.book.pending(time.Time{})
	s.mu.Unlock()
	switch {
	case before.Number != c.Based:
		return Result{}, &ConflictError{Current: before}
	case len(journal) >= maxJournal:
		return Result{}, fmt.Errorf("%w: the store is lost and the journal is full (%d changes)", ErrNotKept, maxJournal)
	case waiting >= maxDue && (!c.At.IsZero() || c.RevertAfter != 0):
		return Result{}, ErrTooManyDue
	}
	r := Result{Stored: InJournal}
	r.Version, r.Due = c.outcome(before, change, s.o.Node, s.o.Clock.Now())
	e := entry{Due: r.Due}
	if r.Version.ID == change {
		r.Version.Provisional = true
		made := r.Version
		e.Version = &made
	}
	if err := s.enter(journal, e); err != nil {
		return Result{}, err
	}
	return r, nil
}

// enter makes e durable in the journal, whose entries are journal, and acts on it.
// The caller holds turn.
func (s *Service) enter(journal []entry, e entry) error {
	if err := s.journal.append(journal, e); err != nil {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	s.apply(func(b *book) []Version {
		b.journal = append(b.journal, e)
		if e.Version == nil {
			return nil
		}
		return []Version{*e.Version}
	})
	s.wake()
	return nil
}

// wake makes follow look now.
func (s *Service) wake() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}
