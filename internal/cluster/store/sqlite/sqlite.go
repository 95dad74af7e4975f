// Package sqlite is the store's engine on one machine: core.db in the data_dir,
// with one writer that commits in groups and as many readers as the machine has
// cores. What it guarantees is in ../DESIGN.md.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// DB is an open core.db. It is safe for concurrent use.
type DB struct {
	opts   Options
	file   os.FileInfo // of core.db when it was opened
	claim  *claim
	write  *sql.DB
	read   *sql.DB
	spare  *sql.DB // for checkpoints
	writer *writer
	check  *checkpointer
}

// Open opens core.db, makes it when it is missing, and calls migrate to bring its
// schema up to date. What was in the write-ahead log is on the disk before Open
// returns, so nobody builds on what only the kernel's memory held.
// Errors have their kind (dialect.Fault).
func Open(ctx context.Context, o Options, migrate func(context.Context, *sql.DB) error) (_ *DB, err error) {
	if err := checkPlace(o.Dir); err != nil {
		return nil, err
	}
	db := &DB{opts: o}
	if db.claim, err = claimHost(ctx, o.Dir, o.Host, o.beat, o.Log); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.closePools()
			db.claim.release()
		}
	}()
	made, err := create(o.path())
	if err != nil {
		return nil, err
	}
	if err := db.openPools(); err != nil {
		return nil, err
	}
	if !made {
		if err := db.quickCheck(ctx); err != nil {
			return nil, err
		}
	}
	if err := migrate(ctx, db.write); err != nil {
		return nil, classify("prepare "+o.path(), err)
	}
	if err := db.settle(ctx); err != nil {
		return nil, err
	}
	if made {
		if err := syncDir(o.Dir); err != nil {
			return nil, err
		}
	}
	if db.file, err = os.Stat(o.path()); err != nil {
		return nil, classifySystem("look at "+o.path(), err)
	}
	db.check = newCheckpointer(db.spare, o.path(), o.Log, func(err error) { db.writer.breakOff(err) })
	db.writer = newWriter(db.write, o.path(), o.Clock.Now, o.Log, db.check.committed)
	go db.check.loop()
	go db.writer.run()
	return db, nil
}

// create makes an empty file for its user only. It is not opened again outside
// SQLite: closing it would let go all locks of this process (fcntl(2)).
func create(path string) (made bool, err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, classifySystem("make "+path, err)
	}
	return true, file.Close()
}

func (db *DB) openPools() error {
	for _, pool := range []struct {
		into **sql.DB
		uri  string
		most int
	}{
		{&db.write, writeURI(db.opts.path()), 1},
		{&db.spare, writeURI(db.opts.path()), 1},
		{&db.read, readURI(db.opts.path()), max(2, runtime.NumCPU())},
	} {
		opened, err := sql.Open("sqlite", pool.uri)
		if err != nil {
			return classify("open "+db.opts.path(), err)
		}
		opened.SetMaxOpenConns(pool.most)
		opened.SetMaxIdleConns(pool.most)
		*pool.into = opened
	}
	return nil
}

func (db *DB) closePools() {
	for _, pool := range []*sql.DB{db.read, db.spare, db.write} {
		if pool != nil {
			if err := pool.Close(); err != nil {
				db.opts.Log.Warn("close core.db", "error", err)
			}
		}
	}
}

// quickCheck looks for damage for checkTime at most; what a large file has beyond
// that shows when it is read.
func (db *DB) quickCheck(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var verdict string
	err := db.write.QueryRowContext(short, "PRAGMA quick_check(1)").Scan(&verdict)
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return classify("open "+db.opts.path(), err)
	}
	if verdict != "ok" {
		return &dialect.Fault{Kind: dialect.ErrCorrupt, Doing: "open " + db.opts.path(), Advice: adviceCorrupt, Err: errors.New(verdict)}
	}
	return nil
}

// settle makes the identity of a new database, and brings what is
// in the write-ahead log to the disk.
func (db *DB) settle(ctx context.Context) error {
	doing := "prepare " + db.opts.path()
	var mode string
	if err := db.write.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return classify(doing, err)
	}
	if mode != "wal" {
		return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: doing, Advice: adviceNetwork, Err: fmt.Errorf("the journal mode is %q, want wal", mode)}
	}
	_, err := identify(ctx, db.write)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = db.write.ExecContext(ctx, "INSERT INTO store_identity (one, id, created_at) VALUES (1, $1, $2) ON CONFLICT (one) DO NOTHING",
			dialect.NewIdentity(), db.opts.Clock.Now().UnixMilli())
	}
	if err != nil {
		return classify(doing, err)
	}
	var busy, pages, moved int // PASSIVE waits for nobody's lock
	err = db.spare.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &moved)
	return classify(doing, err)
}

func identify(ctx context.Context, db *sql.DB) (id dialect.Identity, err error) {
	err = db.QueryRowContext(ctx, "SELECT id FROM store_identity WHERE one = 1").Scan(&id.Store)
	return id, err
}

// Write runs fn in a transaction that other callers' changes share, each in a
// savepoint, and returns once it is durable; see writer.do for deadlines.
func (db *DB) Write(ctx context.Context, fn func(dialect.Session) error) error {
	return db.writer.do(ctx, fn)
}

// Read runs fn on one moment of the database.
func (db *DB) Read(ctx context.Context, fn func(dialect.Session) error) error {
	tx, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		return classify("read "+db.opts.path(), err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return fn(dialect.Session{Ctx: ctx, SQL: tx, Now: db.opts.Clock.Now().UTC().Truncate(time.Millisecond)})
}

// Announce is part of a Write: on one machine its listeners are woken by store.
func (db *DB) Announce(dialect.Session, []string) error { return nil }

// Classify gives an error of a statement its kind.
func (db *DB) Classify(err error) error { return classify("use "+db.opts.path(), err) }

// Probe reports whether the database takes changes, without making one.
func (db *DB) Probe(ctx context.Context) (dialect.Identity, error) {
	if err := db.claim.err(); err != nil {
		return dialect.Identity{}, err
	}
	there, err := os.Stat(db.opts.path())
	if err != nil || !os.SameFile(there, db.file) {
		return dialect.Identity{}, &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: "look at " + db.opts.path(), Advice: adviceMoved, Err: err}
	}
	var id dialect.Identity
	err = db.Write(ctx, func(s dialect.Session) (err error) {
		rows, err := s.SQL.QueryContext(s.Ctx, "SELECT id FROM store_identity WHERE one = 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			err = rows.Scan(&id.Store)
		}
		return errors.Join(err, rows.Err())
	})
	return id, classify("look at "+db.opts.path(), err)
}

// enough is the free space from which a disk that was full counts as usable.
const enough = 1 << 20

// Prove makes a change that changes nothing: after a loss only a write that
// reached the disk shows that the next one can.
func (db *DB) Prove(ctx context.Context) error {
	if free, err := room(db.opts.Dir); err == nil && free < enough {
		return &dialect.Fault{Kind: dialect.ErrFull, Doing: "write to " + db.opts.path(), Advice: adviceFull}
	}
	return db.Write(ctx, func(s dialect.Session) error {
		_, err := s.SQL.ExecContext(s.Ctx, "UPDATE store_identity SET created_at = created_at")
		return classify("write to "+db.opts.path(), err)
	})
}

// closePatience is how long Close waits for a disk that hangs.
const closePatience = 2 * time.Second

// Close writes what waits and lets the file go. It waits for closePatience; what
// hangs longer, as on a lock of another program, is let go when it ends.
func (db *DB) Close() error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.writer.stop()
		db.check.stop()
		db.closePools()
		db.claim.release()
	}()
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		return &dialect.Fault{Kind: dialect.ErrUnavailable, Doing: "close " + db.opts.path(), Advice: adviceSlow}
	}
}

// syncDir makes the names in dir durable (W1, 2.5).
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return classifySystem("open "+dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return &dialect.Fault{Kind: dialect.ErrReadOnly, Doing: "fsync " + dir, Advice: adviceSync, Err: err}
	}
	return nil
}
