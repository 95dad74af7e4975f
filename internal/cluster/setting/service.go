package setting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
)

// Channel is notified when a setting was changed, for Store.Listen.
const Channel = "setting"

// Store is the part of the cluster's store that settings need. *store.Store is one.
type Store interface {
	// Write runs fn in a transaction, perhaps more than once, and returns when it is
	// durable, or with an error when ctx ends.
	Write(ctx context.Context, fn func(*store.Tx) error) error
	// Read runs fn in a transaction that only reads.
	Read(ctx context.Context, fn func(*store.Tx) error) error
	// Listen returns a channel that may be ready after Tx.Notify, until stop.
	Listen(channel string) (wake <-chan struct{}, stop func())
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
	// reach the caller of Put as they are. nil: every key and value is good.
	Check func(key string, value json.RawMessage) error

	// Final reports whether a reset of a key is for good: such a reset outlives the
	// word that the store is right as it is (Confirm with Accept), even if the store
	// is from before it. nil: no key's.
	Final func(key string) bool

	// Apply makes this process act on versions. It is called by one goroutine at a
	// time, with versions in the order in which they came into force; Start calls it first,
	// with all. A version with a nil Value is a reset, one with Number 0 a key that is
	// gone. The answer to a change waits for it. It must not change settings.
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
	damaged int // lines of the journal that New could not read

	// Locks, in the order in which they are taken.
	turn     sync.Mutex // held by whoever writes the journal, fsync included
	pulling  gate       // held by whoever takes over what is new in the store
	applying sync.Mutex // held from the change of book until Apply has returned

	mu       sync.Mutex // guards the fields below; never held while waiting for a disk
	book     *book
	away     error     // why the store was not to be had the last time; nil: it was
	since    time.Time // of the last change of that
	doubt    string    // what is odd about the store that came back; "": nothing
	started  bool      // Apply is called
	watchers map[*Watcher]struct{}
	wishes   []*wish // for the journal, not written yet

	nudge   chan struct{} // wakes follow
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// gate is a mutex for which somebody can wait for a limited time.
type gate chan struct{}

func (g gate) lock(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) unlock() { <-g }

// New reads the last-good file and the journal in o.Dir. It needs no store. What is
// damaged of them is kept aside and logged.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Dir == "" {
		return nil, errors.New("open the settings: they need a store and a folder")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Check == nil {
		o.Check = func(string, json.RawMessage) error { return nil }
	}
	if o.Final == nil {
		o.Final = func(string) bool { return false }
	}
	if o.Apply == nil {
		o.Apply = func([]Version) {}
	}
	s := &Service{
		o: o, log: o.Log, pulling: make(gate, 1), away: errNotAsked, since: o.Clock.Now(),
		watchers: make(map[*Watcher]struct{}), nudge: make(chan struct{}, 1),
	}
	sweep(o.Dir)
	s.book = s.readLastGood()
	s.readJournal()
	pause := time.Duration(0)
	if o.Store.State().Local {
		pause = localPause
	}
	s.saver = newSaver(s.saveLastGood, pause)
	var err error
	if s.metrics, err = newMetrics(s, o.Registerer); err != nil {
		return nil, fmt.Errorf("open the settings: %w", err)
	}
	return s, nil
}

// readLastGood returns what the last-good file says, or an empty book.
func (s *Service) readLastGood() *book {
	good, err := readLastGood(s.o.Dir)
	if err == nil {
		return good.restore()
	}
	if !missing(err) {
		as, aside := keepAside(s.o.Dir, LastGoodName, "damaged")
		s.log.Error("the last-good settings cannot be used; the store has them too, so nothing is lost if it answers",
			"error", err, "kept_as", as, "keep_error", aside)
	}
	return newBook()
}

// readJournal puts what the journal has, and the store has not, on top of the book.
func (s *Service) readJournal() {
	j, entries, damaged, err := openJournal(s.o.Dir)
	s.journal, s.damaged = j, damaged
	if err != nil || damaged > 0 {
		as, aside := keepAside(s.o.Dir, JournalName, "damaged")
		s.log.Error("the journal of settings is damaged; what can be read of it counts", "error", err, "damaged_lines", damaged,
			"whole_lines", len(entries), "kept_as", as, "keep_error", aside)
	}
	for _, e := range entries {
		if e.Seq > s.book.given {
			s.book.journal = append(s.book.journal, e)
		}
	}
}

// Start reads the store, waiting for it 2 s at most, applies what is in force, and
// keeps it up to date until Stop.
func (s *Service) Start(ctx context.Context) {
	first, done := context.WithTimeout(ctx, pullLimit)
	s.round(first)
	done()
	s.applying.Lock()
	s.mu.Lock()
	s.started = true
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
// twice, or without a start, does no harm. Changes made later are kept, in the
// journal or the store.
func (s *Service) Stop() {
	if s.cancel != nil {
		s.cancel()
		s.running.Wait()
		s.cancel = nil
		if s.saver.behind() {
			s.saver.save()
		}
	}
	s.journal.close()
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
	started := s.started
	s.mu.Unlock()
	if len(changed) > 0 && started {
		s.o.Apply(changed)
	}
}

// saveLastGood writes the last-good file. It is for the saver.
func (s *Service) saveLastGood() error {
	s.mu.Lock()
	good := s.book.snapshot(s.o.Node, s.o.Clock.Now())
	s.mu.Unlock()
	_, before := s.saver.state()
	err := good.write(s.o.Dir)
	if err != nil && before == nil {
		s.log.Error("the settings on this node's disk are not up to date; without the store a restart would begin with older ones", "error", err)
	}
	return err
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
