package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// Figures for singletons that may pause for some seconds.
const (
	defaultTTL   = 15 * time.Second
	defaultRenew = 5 * time.Second
)

// ErrHeld says that this elector has the lease already.
var ErrHeld = errors.New("the lease is held by this elector")

// Options are what an elector needs.
type Options struct {
	Store  Store
	Name   string // of the lease, one for all nodes
	Holder string // this process; another one after a restart (NewHolder). One elector of a process for each name

	// Module is the version of what the lease is for. Raise it when older code
	// must not run any more beside or after newer code, and with every change of
	// TTL. 0 is the first.
	Module int

	TTL    time.Duration // how long after its last renewal a dead holder keeps others out; 0: 15 s
	Renew  time.Duration // how often the holder renews and the others look; 0: 5 s
	Margin time.Duration // how long before the others may be elected the holder stops; 0: TTL/5

	// Sole says that no other process can reach the store, so that a lease found
	// at the first look is that of a dead process and is taken at once.
	Sole bool

	// May is asked before each attempt whether the store is the one to trust; nil:
	// always. When it says no, nobody is elected here, and a term that there is ends.
	May func() bool

	Log *slog.Logger // nil: slog's default
}

// State is what an elector knows of its lease.
type State struct {
	Held   bool      // by this elector, and trusted
	Holder string    // as last seen, "" if nobody ever had it
	Number int64     // of the term last seen; 0: none
	Module int       // of the term last seen
	Since  time.Time // when Held, or its absence, began
	Newer  bool      // the module in the store is newer than this one, which therefore waits
	Err    error     // of the last attempt; nil: it succeeded
}

// NewHolder returns a name for this process on node, which no other process has.
func NewHolder(node string) string { return fmt.Sprintf("%s/%016x", node, rand.Uint64()) }

// Elector stands for election under one name. Its methods are safe for
// concurrent use, but it holds one term at a time.
type Elector struct {
	o    Options
	book book

	mu    sync.Mutex // guards the fields below
	state State
	held  *Tenure // nil: none, or over
	most  int64   // highest number ever seen
	first bool    // nothing has been looked at yet
	seen  row     // as first seen with these values
	at    time.Time
}

// New returns an elector that does nothing yet. Errors say which option is wrong.
func New(o Options) (*Elector, error) { return newElector(o, table{o.Store}) }

func newElector(o Options, b book) (*Elector, error) {
	o.TTL = cmp.Or(o.TTL, defaultTTL)
	o.Renew = cmp.Or(o.Renew, defaultRenew)
	o.Margin = cmp.Or(o.Margin, o.TTL/5)
	o.Log = cmp.Or(o.Log, slog.Default())
	if o.May == nil {
		o.May = func() bool { return true }
	}
	switch {
	case o.Name == "" || o.Holder == "":
		return nil, errors.New("new elector: name and holder are needed")
	case o.Module < 0:
		return nil, fmt.Errorf("new elector of %s: module is %d, want 0 or more", o.Name, o.Module)
	case o.Margin < 0 || o.Renew <= 0 || 2*o.Renew+o.Margin > o.TTL:
		// Twice, so that one renewal that fails costs nothing.
		return nil, fmt.Errorf("new elector of %s: TTL %v must be at least twice the renewal (%v) and the margin (%v)", o.Name, o.TTL, o.Renew, o.Margin)
	}
	return &Elector{o: o, book: b, first: true, state: State{Since: time.Now()}}, nil
}

// State returns what is known now, without asking the store.
func (e *Elector) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.state
	if s.Held && !e.held.Trusted(time.Now()) {
		s.Held = false
	}
	return s
}

// Elect waits until this elector has a new term, and returns it renewing itself.
// What the store cannot answer it asks again. Errors: that of ctx; ErrHeld.
func (e *Elector) Elect(ctx context.Context) (*Tenure, error) {
	wake, stop := e.book.wake()
	defer stop()
	for {
		tenure, wait, err := e.attempt(ctx)
		if tenure != nil || errors.Is(err, ErrHeld) {
			return tenure, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-wake:
			// A moment's jitter: all who wait are woken by the same resignation.
			clock.Sleep(ctx, rand.N(min(10*time.Millisecond, e.o.Renew)))
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// Try makes one attempt. It returns nil and no error while somebody else has the
// lease. Errors: the store's; ErrHeld.
func (e *Elector) Try(ctx context.Context) (*Tenure, error) {
	tenure, _, err := e.attempt(ctx)
	return tenure, err
}

// attempt looks and bids once. Without a tenure it returns how long to wait
// before the next.
func (e *Elector) attempt(ctx context.Context) (*Tenure, time.Duration, error) {
	e.mu.Lock()
	held := e.held != nil && e.held.Trusted(time.Now())
	e.mu.Unlock()
	if held {
		return nil, 0, ErrHeld
	}
	wait := jitter(e.o.Renew)
	if !e.o.May() {
		return nil, wait, nil
	}
	// A store that hangs must not hold up the attempt after.
	ctx, cancel := context.WithTimeout(ctx, e.o.Renew)
	defer cancel()
	found, err := e.book.look(ctx, e.o.Name)
	if err != nil {
		e.note(err)
		return nil, wait, err
	}
	b, left := e.consider(found)
	if left > 0 {
		// The moment it expires is known, and nobody is helped by waiting longer.
		return nil, min(wait, left+rand.N(e.o.Renew/10+1)), nil
	}
	start := time.Now()
	term, won, err := e.book.elect(ctx, b)
	if err != nil || !won {
		e.note(err)
		return nil, wait, err
	}
	return e.enter(Term{Name: e.o.Name, Holder: e.o.Holder, Number: term}, start.Add(e.o.TTL-e.o.Margin)), wait, nil
}

// consider notes what the store has, and returns the bid to make, or how long
// the lease is not free.
func (e *Elector) consider(found row) (b bid, left time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.most = max(e.most, found.term)
	if found.term != e.seen.term || found.holder != e.seen.holder || found.expires != e.seen.expires {
		e.seen, e.at = found, now
	}
	first := e.first
	e.first = false
	newer := found.module > e.o.Module
	if newer && !e.state.Newer {
		e.o.Log.Warn("a newer version has done this job, so this one leaves it alone; upgrade this node",
			"lease", e.o.Name, "module", e.o.Module, "newer", found.module)
	}
	e.state.Holder, e.state.Number, e.state.Module, e.state.Newer, e.state.Err = found.holder, found.term, found.module, newer, nil

	b = bid{name: e.o.Name, holder: e.o.Holder, module: e.o.Module, ttl: e.o.TTL, least: e.most + 1}
	if found.holder == e.o.Holder {
		// A term of this process that is over, or one whose election was never
		// heard of because the store's answer did not come.
		b.own = found.term
	}
	free := found.term == 0 || found.left <= 0 || b.own > 0
	switch {
	case newer:
		return b, e.o.Renew
	case free:
		return b, 0
	case first && e.o.Sole:
		b.dead = found
		return b, 0
	case found.left > e.o.TTL && now.Sub(e.at) >= e.o.TTL:
		// No renewal can say so: the store's clock has gone back. Its holder has
		// not renewed for a whole TTL by our clock, so it trusts itself no more.
		b.dead = found
		return b, 0
	}
	return b, found.left
}

// enter begins a term that is trusted until then.
func (e *Elector) enter(t Term, until time.Time) *Tenure {
	t.trust = newTrust(until)
	n := &Tenure{Term: t, elector: e, kept: make(chan struct{})}
	e.mu.Lock()
	e.held = n
	e.most = max(e.most, t.Number)
	e.state = State{Held: true, Holder: t.Holder, Number: t.Number, Module: e.o.Module, Since: time.Now()}
	e.mu.Unlock()
	go n.keep()
	return n
}

// left notes that n is over.
func (e *Elector) left(n *Tenure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held == n {
		e.held = nil
		e.state.Held, e.state.Since = false, time.Now()
	}
}

func (e *Elector) note(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state.Err = err
}

// jitter is d less a random part of up to a quarter, so that take-over never
// takes longer than the formula says.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/4+1) }
