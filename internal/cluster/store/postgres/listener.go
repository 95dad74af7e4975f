package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	listenPing = 15 * time.Second // of silence, after which the line is tested
	listenMost = 5 * time.Second  // between two tries to connect
)

// listener keeps one connection that waits for notifications. It reconnects by
// itself, and then wakes everybody: what was sent in between is lost.
type listener struct {
	opts   Options
	cancel context.CancelFunc
	done   chan struct{}
}

func listen(o Options) *listener {
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{opts: o, cancel: cancel, done: make(chan struct{})}
	go l.run(ctx)
	return l
}

// stop ends the goroutine and waits for it, which takes no longer than closing a
// connection does.
func (l *listener) stop() {
	l.cancel()
	<-l.done
}

func (l *listener) run(ctx context.Context) {
	defer close(l.done)
	wait := 100 * time.Millisecond
	for {
		began := time.Now()
		err := l.session(ctx)
		if ctx.Err() != nil {
			return
		}
		l.opts.Log.Debug("listening for notifications was interrupted; settings are polled meanwhile", "error", err)
		if time.Since(began) > listenMost {
			wait = 100 * time.Millisecond
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		wait = min(2*wait, listenMost)
	}
}

// session listens on one connection until it breaks.
func (l *listener) session(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.opts.Config.conn.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing) // it is of no more use, whatever it says
	}()
	if err := bounded(ctx, func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "LISTEN "+notifyChannel)
		return err
	}); err != nil {
		return err
	}
	l.opts.Wake("")
	for {
		silence, cancel := context.WithTimeout(ctx, listenPing)
		note, err := conn.WaitForNotification(silence)
		timedOut := errors.Is(err, context.DeadlineExceeded)
		cancel()
		switch {
		case err == nil:
			l.opts.Wake(note.Payload)
		case ctx.Err() == nil && timedOut && !conn.IsClosed():
			if err := bounded(ctx, conn.Ping); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// bounded calls f with connectTimeout to go.
func bounded(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return f(ctx)
}
