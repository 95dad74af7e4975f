// Package store opens the one database of a node (SQLite in its data_dir) or of
// several nodes (PostgreSQL), keeps its schema current and runs transactions on
// it; nothing else. Each package above owns its tables and queries. DESIGN.md
// has the invariants and what happens when the database fails.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store/dialect"
	"github.com/evergate/evergate/internal/cluster/store/migrations"
	"github.com/evergate/evergate/internal/cluster/store/postgres"
	"github.com/evergate/evergate/internal/cluster/store/sqlite"
)

// Limit is how long a transaction may take whose caller gives more, or no,
// deadline.
const Limit = 5 * time.Second

// Identity is which database this is.
type Identity = dialect.Identity

// Options says which database and how.
type Options struct {
	Dir      string       // data_dir, which exists: core.db is there, and what was last seen of a PostgreSQL
	URL      string       // of PostgreSQL, "postgres://..."; "" is SQLite
	PollOnly bool         // no LISTEN: behind PgBouncer in transaction mode
	Host     string       // id of this machine; "" asks the system
	Log      *slog.Logger // nil: slog.Default()
	Clock    clock.Clock  // store time on SQLite
}

// engine is one database while it is open. Both dialects provide it.
type engine interface {
	// Write runs fn in a transaction; nil means that it is durable. fn may run more
	// than once, and in another goroutine. ctx has a deadline.
	Write(ctx context.Context, fn func(dialect.Session) error) error
	// Read runs fn on one moment of the database.
	Read(ctx context.Context, fn func(dialect.Session) error) error
	// Announce makes the session's commit wake the other nodes' listeners.
	Announce(s dialect.Session, channels []string) error
	// Classify gives an error of a statement its kind, if it has one.
	Classify(err error) error
	// Probe says which database it is; an error says that it takes no changes.
	Probe(ctx context.Context) (dialect.Identity, error)
	// Prove makes a durable change that changes nothing.
	Prove(ctx context.Context) error
	// Close ends it, in bounded time.
	Close() error
}

// Store is the database, present or lost. It is safe for concurrent use.
type Store struct {
	opts     Options
	kind     Dialect
	postgres postgres.Config // of no use on SQLite
	connect  func(context.Context) (engine, error)
	hub      hub
	seen     *seen

	stop    context.CancelFunc
	poke    chan struct{} // asks watch to look now
	stopped chan struct{} // closed when watch has ended
	closing sync.WaitGroup

	mu      sync.Mutex
	engine  engine // nil: none is open
	id      Identity
	state   State
	changed chan struct{} // closed and replaced when state or id changes
}

// Open returns the store. It fails only for what cannot heal by itself or must
// keep Evergate from starting: a malformed URL, ErrNewerSchema, ErrNetworkFS,
// ErrSecondHost, or the end of ctx. In all other cases, a server that hangs or a
// damaged file as well, it returns a store that is lost within some seconds and
// goes on trying.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := prepare(o)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.Background())
	s.stop = stop
	first := make(chan error, 1)
	go s.watch(watching, first)

	patience := time.NewTimer(s.patience())
	defer patience.Stop()
	select {
	case err = <-first:
		if !fatal(err) {
			return s, nil
		}
	case <-ctx.Done():
		err = fmt.Errorf("open store: %w", ctx.Err())
	case <-patience.C:
		return s, nil
	}
	if closing := s.Close(); closing != nil {
		s.opts.Log.Warn("close the store", "error", closing)
	}
	return nil, err
}

// prepare builds a store that is not connected yet.
func prepare(o Options) (*Store, error) {
	o.Log = cmp.Or(o.Log, slog.Default())
	s := &Store{
		opts: o, kind: SQLite,
		poke: make(chan struct{}, 1), stopped: make(chan struct{}), changed: make(chan struct{}),
	}
	if o.URL == "" {
		s.connect = s.openSQLite
	} else {
		config, err := postgres.Parse(o.URL)
		if err != nil {
			return nil, err
		}
		s.kind, s.postgres, s.connect = Postgres, config, s.connectPostgres
	}
	s.seen = openSeen(o.Dir, o.Log)
	s.state = State{
		Kind: s.kind, Local: s.kind == SQLite, Lost: true, Since: time.Now(),
		Err: &dialect.Fault{Kind: ErrUnavailable, Doing: "open the store: no answer yet"},
	}
	return s, nil
}

// patience is how long Open waits for the first answer. A local file gets longer,
// because looking whether another machine uses it takes a while.
func (s *Store) patience() time.Duration {
	if s.kind == SQLite {
		return 15 * time.Second
	}
	return 4 * time.Second
}

// fatal reports whether err must keep Evergate from starting.
func fatal(err error) bool {
	return errors.Is(err, ErrNewerSchema) || errors.Is(err, ErrNetworkFS) || errors.Is(err, ErrSecondHost)
}

func (s *Store) openSQLite(ctx context.Context) (engine, error) {
	db, err := sqlite.Open(ctx, sqlite.Options{Dir: s.opts.Dir, Host: s.opts.Host, Log: s.opts.Log, Clock: s.opts.Clock}, s.migrate)
	if err != nil {
		return nil, err // not db: a nil *sqlite.DB is no nil engine
	}
	return db, nil
}

func (s *Store) connectPostgres(ctx context.Context) (engine, error) {
	db, err := postgres.Connect(ctx, postgres.Options{Config: s.postgres, PollOnly: s.opts.PollOnly, Wake: s.hub.wake, Log: s.opts.Log}, s.migrate)
	if err != nil {
		return nil, err
	}
	return db, nil
}

func (s *Store) migrate(ctx context.Context, db *sql.DB) error {
	return migrations.Core(ctx, db, s.kind)
}

// Write runs fn in a transaction and returns nil once it is durable: fsync, or
// COMMIT on PostgreSQL, returned without error (W1).
//
// fn may run more than once and in another goroutine, at the same time as other
// callers' functions wait: it has no effect outside its transaction but to set
// variables that the caller reads when Write returned nil, and does no other
// work than its statements.
//
// Once begun, a write is not cut off when ctx is cancelled (W3); it ends by ctx's
// deadline, or Limit. Errors are fn's own, those of the statements with their kind,
// and, by Lost, those of a store that could not take the change. Of these
// ErrOutcomeUnknown alone leaves open whether it did.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	return s.write(ctx, Limit, fn)
}

func (s *Store) write(ctx context.Context, limit time.Duration, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	engine, err := s.ready()
	if err != nil {
		return err
	}
	ctx, cancel := durable(ctx, limit)
	defer cancel()
	var wakes []string
	err = engine.Write(ctx, func(session dialect.Session) error {
		tx := &Tx{session: session, name: s.kind, classed: engine.Classify}
		if err := tx.run(fn); err != nil {
			return err
		}
		wakes = tx.wakes
		return engine.Announce(session, wakes)
	})
	if err != nil {
		s.note(engine, err)
		return err
	}
	for _, channel := range wakes {
		s.hub.wake(channel)
	}
	return nil
}

// durable is ctx without its cancellation, and with a deadline.
func durable(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	end := time.Now().Add(limit)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	return context.WithDeadline(context.WithoutCancel(ctx), end)
}

// Read runs fn in a read-only transaction that sees one moment of the store. It
// ends with ctx, or after Limit. A local store that takes no changes can often
// still be read.
func (s *Store) Read(ctx context.Context, fn func(*Tx) error) error {
	return s.read(ctx, Limit, fn)
}

func (s *Store) read(ctx context.Context, limit time.Duration, fn func(*Tx) error) error {
	engine, err := s.readable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = engine.Read(ctx, func(session dialect.Session) error {
		return (&Tx{session: session, name: s.kind, classed: engine.Classify}).run(fn)
	})
	if err != nil {
		s.note(engine, err)
	}
	return err
}

// Listen returns a channel that gets a value after a Notify on channel, and after
// each time that some may have been lost. Several at once are one. It is only a
// hint: who listens polls as well. stop ends it; calling it twice does no harm.
func (s *Store) Listen(channel string) (wake <-chan struct{}, stop func()) {
	return s.hub.listen(channel)
}

// Identity asks the store which one it is. After somebody emptied or replaced the
// database it is another one.
func (s *Store) Identity(ctx context.Context) (Identity, error) {
	engine, err := s.ready()
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	id, err := engine.Probe(ctx)
	if err != nil {
		s.note(engine, err)
	}
	return id, err
}

// Close ends the store and waits for what is being written, for some seconds at
// most. Closing twice does nothing.
func (s *Store) Close() error {
	s.stop()
	<-s.stopped
	s.mu.Lock()
	engine := s.engine
	s.engine = nil
	s.setState(true, &dialect.Fault{Kind: ErrClosed})
	s.mu.Unlock()
	var err error
	if engine != nil {
		err = engine.Close()
	}
	s.closing.Wait()
	return err
}
