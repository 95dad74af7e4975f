package std

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// streamError is how net/http shows an HTTP/2 stream error: any struct with
// these fields will do for errors.As.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return "HTTP/2 stream error" }

// HTTP/2 error codes, RFC 9113 section 7.
const (
	protocolError = 0x1
	refusedStream = 0x7
)

// fail is the *upstream.Error for an attempt that ended with err before its
// final head.
func (a *attempt) fail(inner context.Context, err error) *upstream.Error {
	var own *upstream.Error
	if errors.As(err, &own) { // of our dialer; shared by all who waited for it
		e := *own
		a.endedByContext(inner, &e)
		return &e
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &upstream.Error{Class: a.class(), Reused: a.reused, Op: "read response", Err: err}
	switch e.Class {
	case exchange.NotConnected:
		e.Op, e.Outcome = "wait for a connection", exchange.Connect
	case exchange.NotSent, exchange.PartlySent:
		e.Op, e.Outcome = "write request", exchange.Reset
	default:
		e.Outcome = exchange.Reset
	}
	switch {
	case a.endedByContext(inner, e):
		// The write may have gone on until this moment.
		if e.Outcome == exchange.Timeout && e.Class == exchange.NotSent {
			e.Class = exchange.PartlySent
		}
	case a.body.failure() != nil:
		e.Outcome, e.Op, e.Err = exchange.Canceled, "write request", a.body.failure()
		e.Class = min(e.Class, exchange.PartlySent)
	case a.rubbish(inner, err):
		e.Outcome, e.Class, e.Op = exchange.BadResponse, exchange.FullySent, "read response"
		if cause := context.Cause(inner); cause != nil {
			e.Err = cause
		}
	}
	return e
}

// class is how far the request got: by bytes where the connection is its own,
// by what net/http says where it is shared. In doubt it is the higher one.
func (a *attempt) class() exchange.SendClass {
	switch {
	case a.wire == nil:
		return exchange.NotConnected
	case a.wire.written.Load() == a.written:
		return exchange.NotSent
	case a.wroteAll:
		return exchange.FullySent
	}
	return exchange.PartlySent
}

// endedByContext fills in e if the context ended the attempt.
func (a *attempt) endedByContext(inner context.Context, e *upstream.Error) bool {
	switch {
	case a.ctx.Err() != nil:
		e.Outcome, e.Err = contextOutcome(a.ctx), context.Cause(a.ctx)
	case errors.Is(context.Cause(inner), errHeadTimeout), errors.Is(context.Cause(inner), errCutOff):
		e.Outcome, e.Err = exchange.Timeout, context.Cause(inner)
	default:
		return false
	}
	return true
}

// rubbish reports whether the server answered, but with no response: something
// was read and it was not the connection that ended first.
func (a *attempt) rubbish(inner context.Context, err error) bool {
	if a.wire == nil {
		return false
	}
	if a.t.o.Mode != HTTP1 {
		var se streamError
		return context.Cause(inner) != nil || errors.Is(err, ErrTooManyFields) || (errors.As(err, &se) && se.Code == protocolError)
	}
	if a.wire.read.Load() == a.read {
		return false
	}
	return a.interims == 0 || context.Cause(inner) != nil || !(errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET))
}

// contextOutcome is Timeout if the context ended by itself, Canceled if
// somebody ended it.
func contextOutcome(ctx context.Context) exchange.Outcome {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return exchange.Timeout
	}
	return exchange.Canceled
}

// cutShort is upstream.ErrCutShort with its cause.
type cutShort struct{ cause error }

func (e *cutShort) Error() string   { return upstream.ErrCutShort.Error() + ": " + e.cause.Error() }
func (e *cutShort) Unwrap() []error { return []error{upstream.ErrCutShort, e.cause} }
