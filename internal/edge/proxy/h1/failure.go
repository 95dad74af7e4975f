package h1

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// fail ends the attempt before its final head: it joins the writer, closes the
// connection and returns the *upstream.Error that err amounts to.
func (a *reply) fail(op string, err error) error {
	c := a.c
	var requestBody error
	if a.up != nil {
		failed := a.up.failed.Load() // by itself: join ends a Read that waits for the visitor, which is no failure of his
		c.cut()
		a.up.join()
		if failed {
			requestBody = a.up.bodyErr
		}
		if a.up.complete {
			a.sent = exchange.FullySent
		}
	}
	if a.stop != nil {
		a.stop()
	}
	e := &upstream.Error{Class: a.sent, Reused: c.reused, Op: op, Err: err}
	switch {
	case a.ctx.Err() != nil:
		e.Outcome, e.Err = contextOutcome(a.ctx), context.Cause(a.ctx)
	case requestBody != nil:
		e.Outcome, e.Op, e.Err = exchange.Canceled, "write request", requestBody
	case isTimeout(err):
		e.Outcome = exchange.Timeout
	case isBad(err):
		e.Outcome, e.Class = exchange.BadResponse, exchange.FullySent
	case a.answered():
		e.Outcome, e.Class = exchange.BadResponse, exchange.FullySent
	default:
		e.Outcome = exchange.Reset
	}
	if e.Outcome == exchange.Reset && c.reused {
		a.t.pool.suspect(time.Now())
	}
	a.c = nil
	c.in.free()
	c.in = nil
	a.t.discard(c)
	return e
}

// bodyError is the *upstream.Error for a response body that ended with err.
func (a *reply) bodyError(err error) error {
	e := &upstream.Error{Class: exchange.Answered, Outcome: exchange.BadResponse, Reused: a.Reused, Op: "read body"}
	switch {
	case a.ctx.Err() != nil:
		e.Outcome, e.Err = contextOutcome(a.ctx), context.Cause(a.ctx)
	case a.up != nil && a.up.failed.Load():
		a.up.join()
		e.Outcome, e.Err = exchange.Canceled, a.up.bodyErr
	case isTimeout(err):
		e.Outcome, e.Err = exchange.Timeout, err
	case isBad(err):
		e.Err = err
	default:
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		e.Err = &cutShort{err}
	}
	return e
}

// cutShort is upstream.ErrCutShort with its cause.
type cutShort struct{ cause error }

func (e *cutShort) Error() string   { return upstream.ErrCutShort.Error() + ": " + e.cause.Error() }
func (e *cutShort) Unwrap() []error { return []error{upstream.ErrCutShort, e.cause} }

// isBad reports whether err is about what the server said.
func isBad(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrHeaderTooLarge) || errors.Is(err, ErrTooManyFields) ||
		errors.Is(err, ErrTooManyInterim) || errors.Is(err, ErrUnasked)
}

// contextOutcome is Timeout if the context ended by itself, Canceled if
// somebody ended it.
func contextOutcome(ctx context.Context) exchange.Outcome {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return exchange.Timeout
	}
	return exchange.Canceled
}

// dialError is the *upstream.Error of a connection that was not made. A dial
// that took its own time is a connect error; one for which the attempt had no
// time left is a time-out.
func dialError(ctx context.Context, limit time.Time, class exchange.SendClass, op string, err error) error {
	if isTimeout(err) && !limit.IsZero() && !time.Now().Before(limit) {
		return &upstream.Error{Class: class, Outcome: exchange.Timeout, Op: op, Err: err}
	}
	return connectError(ctx, class, op, err)
}

func connectError(ctx context.Context, class exchange.SendClass, op string, err error) error {
	e := &upstream.Error{Class: class, Outcome: exchange.Connect, Op: op, Err: err}
	if ctx.Err() != nil {
		e.Outcome, e.Err = contextOutcome(ctx), context.Cause(ctx)
	} else if errors.Is(err, errNoSlot) {
		e.Outcome = exchange.Timeout
	}
	return e
}

func asNetError(err error) (net.Error, bool) {
	var ne net.Error
	ok := errors.As(err, &ne)
	return ne, ok
}
