package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"time"
)

// checkpointer copies the write-ahead log into the database beside the writers,
// so that no commit waits for the two fsyncs of it. It does so itself because
// SQLite's own automatic checkpoint swallows errors: after a failed fsync the
// kernel forgets what it could not write, the next fsync succeeds, and SQLite
// would reuse the log although the database lacks its pages (W1).
type checkpointer struct {
	db     *sql.DB // a connection of its own
	path   string
	log    *slog.Logger
	failed func(error) // hears of an error that means that a write was not confirmed
	wake   chan struct{}
	quit   chan struct{}
	done   chan struct{}
}

func newCheckpointer(db *sql.DB, path string, log *slog.Logger, failed func(error)) *checkpointer {
	return &checkpointer{db: db, path: path, log: log, failed: failed, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
}

// committed is called after each commit, by the writer: it wakes the checkpointer
// when the log has grown, and does its work at once when the log has outgrown it,
// which happens when it can never catch up with the writers or a reader stays.
func (c *checkpointer) committed() {
	info, err := os.Stat(c.path + "-wal")
	if err != nil || info.Size() < walSoft {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	if info.Size() >= walHard {
		c.run(context.Background(), "RESTART")
	}
}

func (c *checkpointer) loop() {
	defer close(c.done)
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
			c.run(context.Background(), "PASSIVE")
		}
	}
}

// run does one checkpoint. Its writers go on with PASSIVE; with the other modes
// they wait, for a second at most.
func (c *checkpointer) run(ctx context.Context, mode string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var busy, pages, moved int
	err := c.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &moved)
	if err == nil {
		return // busy only means that the rest is copied next time
	}
	err = classify("copy the write-ahead log into "+c.path, err)
	c.log.Warn("checkpoint", "error", err)
	c.failed(err)
}

// stop ends loop and waits for it.
func (c *checkpointer) stop() {
	close(c.quit)
	<-c.done
}
