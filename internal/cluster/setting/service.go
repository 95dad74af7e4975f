package setting

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
)

// Channel is notified when a setting was changed, for Store.Listen.
const Channel = "setting"

// The times of a service.
const (
	putLimit    = 750 * time.Millisecond // for the store to take a change, then it goes into the journal
	pullLimit   = 2 * time.Second
	replayLimit = 10 * time.Second
	pollEvery   = time.Second // +-20 %
	savedLimit  = 2 * time.Second
)

// Store is the part of the cluster's store that settings need. *store.Store is one.
type Store interface {
	// Write runs fn in a transaction, perhaps more than once, and returns when it is
	// durable, or with an error when ctx ends.
	Write(ctx context.Context, fn func(*store.Tx) error) error
	// Read runs fn in a transaction that only reads.
	Read(ctx context.Context, fn func(*store.Tx) error) error
	// Listen returns a channel that may be ready after Tx.Notify, until stop.
	Listen(channel string) (wake <-chan struct{}, stop func())
	// Identity asks which store it is.
	Identity(ctx context.Context) (store.Identity, error)
	State() store.State
	// Changed is closed when State changes next.
	Changed() <-chan struct{}
}

// Options are what a Service needs.
type Options struct {
	Store Store
	Dir   string // data_dir: the last-good file and the journal are there
	Node  string // name of this node, for the history
	Clock clock.Clock
	Log   *slog.Logger // nil: slog.Default()

	// Check says what is wrong with a value for a key; nil stands for a reset. Its errors
	// reach the caller of Put as they are.
	Check func(key string, value json.RawMessage) error

	// Apply makes this process act on versions. It is called by one goroutine at a
	// time, with versions in the order in which they came into force; Start calls it with
	// all. A version with a nil Value is a reset, one with Number 0 a key that is gone.
	Apply func(versions []Version)

	Registerer prometheus.Registerer // nil: metrics are not shown
}

// Service keeps the settings of one node. Its methods are safe for concurrent use.
// Its life: New, Start, Stop.
type Service struct {
	o       Options
	log     *slog.Logger
	journal *journal
	saver   *saver
	metrics *metrics

	turn     sync.Mutex // held by whoever appends to the journal or empties it
	pulling  sync.Mutex // held by whoever reads what is new in the store
	applying sync.Mutex // held from the change of book until Apply has returned

	mu       sync.Mutex // guards the fields below; never held while waiting for a disk
	book     *book
	away     error     // why the store was not to be had the last time; nil: it was
	awayAt   time.Time // since when
	doubt    string    // what is odd about the store that came back; "": nothing
	watchers map[*Watcher]struct{}

	nudge   chan struct{} // wakes follow
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// New reads the last-good file and the journal in o.Dir. It needs no store. A
// damaged last-good file is put aside, and that is logged: the store has everything.
func New(o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Check == nil {
		o.Check = func(string, json.RawMessage) error { return nil }
	}
	if o.Apply == nil {
		o.Apply = func([]Version) {}
	}
	s := &Service{o: o, log: o.Log, book: newBook(), watchers: make(map[*Watcher]struct{}), nudge: make(chan struct{}, 1)}
	good, err := readLastGood(o.Dir)
	switch {
	case err == nil:
		s.book = good.restore()
	case !missing(err):
		aside, moved := putAside(o.Dir, o.Clock.Now())
		s.log.Error("the last-good settings cannot be used; the store has them too, so nothing is lost if it answers",
			"error", err, "kept_as", aside, "move_error", moved)
	}
	j, entries, damaged, err := openJournal(o.Dir)
	if err != nil {
		return nil, err
	}
	if damaged > 0 {
		s.log.Error("lines of the journal of settings are damaged and were left out", "file", j.path, "lines", damaged)
	}
	s.journal, s.book.journal = j, entries
	s.saver = newSaver(s)
	if s.metrics, err = newMetrics(s, o.Registerer); err != nil {
		return nil, err
	}
	return s, nil
}

// Start reads the store, waiting for it 2 s at most, applies what is in force, and
// keeps it up to date until Stop.
func (s *Service) Start(ctx context.Context) {
	first, done := context.WithTimeout(ctx, pullLimit)
	s.round(first)
	done()
	s.applying.Lock()
	s.mu.Lock()
	all := s.book.all()
	s.mu.Unlock()
	s.o.Apply(all)
	s.applying.Unlock()

	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.running.Go(func() { s.follow(running) })
	s.running.Go(func() { s.saver.run(running) })
}

// Stop ends what Start began and writes the last-good file a last time. Stopping
// twice, or without a start, does no harm.
func (s *Service) Stop() {
	if s.cancel != nil {
		s.cancel()
		s.running.Wait()
		s.cancel = nil
		s.saver.save()
	}
	s.journal.close()
}

// follow keeps this node up to date: it asks the store again and again, which is
// the truth, and sooner when it is woken, which is a hint.
func (s *Service) follow(ctx context.Context) {
	wake, stop := s.o.Store.Listen(Channel)
	defer stop()
	for {
		changed := s.o.Store.Changed()
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
		s.round(ctx)
	}
}

// round does once what there is to do: take over what is new in the store, give it
// what the journal has, or act without it.
func (s *Service) round(ctx context.Context) {
	err := s.reach(ctx)
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
	limited, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	if err := s.pull(limited); err != nil {
		return err
	}
	return s.replay(ctx)
}

// noteAway notes whether the store was to be had.
func (s *Service) noteAway(err error) {
	s.mu.Lock()
	was := s.away
	if (err == nil) != (was == nil) {
		s.awayAt = s.o.Clock.Now()
	}
	s.away = err
	s.mu.Unlock()
	switch {
	case err != nil && was == nil:
		s.log.Warn("the store of the settings is lost; changes are kept in this node's journal until it is back", "error", err)
	case err == nil && was != nil:
		s.log.Info("the store of the settings is back")
	}
}

// inStore reports whether a change goes to the store: it was there the last time,
// and nothing waits in the journal that must reach it first.
func (s *Service) inStore() bool {
	if s.o.Store.State().Lost {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away == nil && s.doubt == "" && len(s.book.journal) == 0
}

// apply changes the book and makes the process act on what is in force after it.
// change is called with mu held.
func (s *Service) apply(change func(b *book) []Version) {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.mu.Lock()
	changed := change(s.book)
	for w := range s.watchers {
		w.offer(changed)
	}
	s.mu.Unlock()
	if len(changed) > 0 {
		s.o.Apply(changed)
	}
	s.saver.ask()
}

// Current returns the version of key in force. ok is false if it was never set.
func (s *Service) Current(key string) (v Version, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v = s.book.current(key)
	return v, v.Number > 0
}

// All returns the version in force of every key that was ever set, by key.
func (s *Service) All() []Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.all()
}

// Dues returns the due changes: those that wait, the next one first, then those
// settled lately, the last one first.
func (s *Service) Dues() []Due {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.allDues()
}

// History returns at most limit versions of key with numbers below before, the
// last one first; before 0 is from the last one. whole is false when the store is
// lost and only what this node remembers is there.
func (s *Service) History(ctx context.Context, key string, before int64, limit int) (list []Version, whole bool, err error) {
	if before <= 0 {
		before = 1 << 62
	}
	s.mu.Lock()
	for i := len(s.book.journal) - 1; i >= 0 && len(list) < limit; i-- {
		if v := s.book.journal[i].Version; v != nil && v.Key == key && v.Number < before {
			list = append(list, *v)
		}
	}
	sure := s.doubt == ""
	s.mu.Unlock()
	if len(list) > 0 {
		before = list[len(list)-1].Number
	}
	limited, cancel := context.WithTimeout(ctx, putLimit)
	defer cancel()
	var recorded []Version
	if sure {
		err = s.o.Store.Read(limited, func(tx *store.Tx) (err error) {
			recorded, err = historyOf(tx, key, before, limit-len(list))
			return err
		})
		if err == nil {
			return append(list, recorded...), true, nil
		}
		if ctx.Err() == nil && limited.Err() == nil && !store.Lost(err) {
			return nil, false, fmt.Errorf("read the history of %s: %w", key, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.book.recent) - 1; i >= 0 && len(list) < limit; i-- {
		if v := s.book.recent[i]; v.Key == key && v.Number < before {
			list = append(list, v)
		}
	}
	return list, false, nil
}
