package setting

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/cluster/store"
)

// How is an operator's word on a store that came back empty, older or as another.
type How string

// The words.
const (
	Refill How = "refill" // write into it what this node knows
	Accept How = "accept" // take it as it is, and forget what it does not have
)

// Confirm gives an operator's word on a store that waits for it. Errors:
// ErrNothingToConfirm, ErrNoReason, *InvalidError, those of the store.
func (s *Service) Confirm(ctx context.Context, how How, actor, reason string) error {
	return errors.New("not yet")
}

// Cancel takes back a change that waits. Errors: ErrUnknownDue, ErrSettled,
// ErrNoReason, *InvalidError, ErrNotKept.
func (s *Service) Cancel(ctx context.Context, id, actor, reason string) error {
	return errors.New("not yet")
}

// RunDue makes the changes whose time has come. It is one round of a job on a lease;
// each write begins with fence (lease.Term.Fence).
func (s *Service) RunDue(ctx context.Context, fence func(*store.Tx) error) error { return nil }

// State is how the settings of this node are kept.
type State struct {
	Rev           int64     // of the last change of the store that this node acts on
	Lost          bool      // changes go to the journal
	Err           error     // why; nil when not Lost
	Since         time.Time // of the last change of Lost
	Confirm       string    // what is odd about the store, for a store that waits for Confirm; else ""
	Journal       int       // entries that wait for the store
	JournalError  error     // of the last write of the journal; nil: it was fine
	Damaged       int       // lines of the journal that could not be read at start
	LastGood      time.Time // of the last write of the last-good file; zero: none yet
	LastGoodError error     // of the last try; nil: it was fine
	Waiting       int       // due changes that wait
	Overdue       int       // those whose time has been over for 5 s
	Skipped       int       // of those settled lately
}

// State returns how the settings are kept.
func (s *Service) State() State { return State{} }

// Watcher gives out versions as they come into force.
type Watcher struct{}

// Watch returns a watcher, to be closed.
func (s *Service) Watch() *Watcher { return &Watcher{} }

// Next waits for versions: the first call returns all in force, later ones what has
// changed since, of each key the last version only.
func (w *Watcher) Next(ctx context.Context) ([]Version, error) { <-ctx.Done(); return nil, ctx.Err() }

// Close lets the watcher go.
func (w *Watcher) Close() {}

func (w *Watcher) offer([]Version) {}

type saver struct{}

func newSaver(*Service) *saver     { return &saver{} }
func (*saver) run(context.Context) {}
func (*saver) ask()                {}
func (*saver) save()               {}
func (*saver) wait(time.Duration)  {}

type metrics struct{}

func newMetrics(*Service, prometheus.Registerer) (*metrics, error) { return &metrics{}, nil }
func (*metrics) change(Stored)                                     {}

func putAside(string, time.Time) (string, error) { return "", nil }

func (s *Service) settleHere() {}

type position struct{}

func (position) next(tx *store.Tx) (int64, error) { return nextRev(tx, 0) }

func (s *Service) position() position               { return position{} }
func (s *Service) pull(ctx context.Context) error   { return nil }
func (s *Service) replay(ctx context.Context) error { return nil }
