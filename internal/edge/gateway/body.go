package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/header"
)

// leftover bounds how long net/http reads on in a body that nobody wanted; it does
// so to be able to use the connection again, or for the visitor to see the answer.
const leftover = 2 * time.Second

// errTooSlow is the error of a body that comes too slowly on average.
var errTooSlow = fmt.Errorf("request body below limits.body.min_rate: %w", os.ErrDeadlineExceeded)

// limitBody bounds the request body in size, pauses and rate. An HTTP/1 body that
// goes to a server is read while the answer is already on its way (full duplex),
// which net/http does not do by itself.
func (rt *Runtime) limitBody(p *place) step {
	limits, size, duplex := rt.cfg.Limits.Body, p.bodySize, p.cfg.Origin != ""
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			w := of(out)
			if !hasBody(r) || w.extended { // the stream of an extended CONNECT is a tunnel, not a body
				next.ServeHTTP(out, r)
				return
			}
			if r.ContentLength > size {
				w.refuse(r, refuseBodySize)
				return
			}
			w.body = newBody(w, r, limits, size, rt.gateway.clock)
			r.Body = w.body
			if r.ProtoMajor == 3 && r.ContentLength < 0 && !w.body.peek() {
				r.Body, r.ContentLength = http.NoBody, 0
			}
			if duplex && r.ProtoMajor == 1 {
				// Writers that cannot do it are those of tests.
				_ = http.NewResponseController(w.out).EnableFullDuplex()
			}
			next.ServeHTTP(out, r)
		})
	}
}

func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}

// body is a request body within its limits. One goroutine at a time reads it. Its
// errors are *http.MaxBytesError (too large), os.ErrDeadlineExceeded (paused for
// too long, or too slow on average), and those of the connection. The deadlines
// are those of limits.body alone: it is first set when the header has been read,
// so that it can give no header more time, and it is taken away with the last
// byte, so that it ends neither a tunnel nor the wait for the next request.
type body struct {
	src      io.ReadCloser
	deadline func(time.Time) error
	clock    clock.Clock
	idle     time.Duration
	rate     float64 // bytes per second; 0: any
	grace    time.Duration

	size    int64 // most bytes
	length  int64 // declared, -1: unknown
	trailer http.Header

	read     atomic.Int64 // bytes
	complete atomic.Bool  // all of it has been read

	armed  time.Time // until when the deadline holds; zero: none
	waited time.Duration
	ahead  [1]byte // read by peek
	held   bool
	err    error
}

func newBody(w *response, r *http.Request, l config.BodyLimits, size int64, c clock.Clock) *body {
	return &body{
		src: r.Body, deadline: readDeadline(w.out), clock: c, idle: l.IdleTimeout.D(), rate: float64(l.MinRate), grace: l.Grace.D(),
		size: size, length: r.ContentLength, trailer: r.Trailer,
	}
}

// readDeadline returns what sets the read deadline of the connection or stream
// under w. Writers of tests have none.
func readDeadline(w http.ResponseWriter) func(time.Time) error {
	for {
		switch v := w.(type) {
		case interface{ SetReadDeadline(time.Time) error }:
			return v.SetReadDeadline
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return func(time.Time) error { return nil }
		}
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.held {
		b.held = false
		p[0] = b.ahead[0]
		return b.account(1, nil)
	}
	// One byte more than allowed tells a body that is too large from one that fits.
	if left := b.size - b.read.Load(); int64(len(p)) > left+1 {
		p = p[:left+1]
	}
	began := b.clock.Now()
	b.arm(began)
	n, err = b.src.Read(p)
	b.waited += b.clock.Now().Sub(began)
	return b.account(n, err)
}

// arm gives the next piece its time. Setting a deadline is not free, so one that
// still leaves enough is kept; a pause may therefore last a little longer than idle.
func (b *body) arm(now time.Time) {
	if b.armed.Sub(now) >= b.idle {
		return
	}
	b.armed = now.Add(b.idle + b.idle/8)
	_ = b.deadline(b.armed) // the read meets the error of a connection that is gone
}

// account judges what a read brought.
func (b *body) account(n int, err error) (int, error) {
	total := b.read.Add(int64(n))
	switch {
	case total > b.size:
		n -= int(total - b.size)
		err = &http.MaxBytesError{Limit: b.size}
	case err == nil && total == b.length: // net/http has read trailers and all
		b.finish()
	case err == io.EOF: //nolint:errorlint // bodies return it bare
		b.finish()
	case err == nil && b.rate > 0 && b.waited > b.grace && float64(total) < b.rate*b.waited.Seconds():
		err = errTooSlow
	}
	if err != nil {
		b.err = err
	}
	return n, err
}

// finish takes the deadline away and drops trailers that a visitor may not send:
// net/http reads also those that were not announced.
func (b *body) finish() {
	if b.complete.Swap(true) {
		return
	}
	if !b.armed.IsZero() {
		_ = b.deadline(time.Time{})
	}
	for name := range b.trailer {
		if !header.InTrailer(name) {
			delete(b.trailer, name)
		}
	}
}

// peek waits for the first byte and reports whether there is one. HTTP/3 does not
// say with the header that no body follows; taking each GET for an upload of
// unknown length would make it one to the server.
func (b *body) peek() bool {
	n, err := b.src.Read(b.ahead[:])
	for n == 0 && err == nil {
		n, err = b.src.Read(b.ahead[:])
	}
	b.held = n > 0
	if errors.Is(err, io.EOF) && n == 0 {
		b.finish()
		return false
	}
	return true
}

// Close implements io.Closer. It leaves the rest unread: net/http deals with it.
func (b *body) Close() error { return nil }

// unread reports whether the visitor may still be sending a body.
func (w *response) unread() bool {
	if w.extended || !hasBody(w.r) && w.body == nil {
		return false
	}
	return w.body == nil || !w.body.complete.Load()
}

// leaveBody bounds the time that net/http spends on a body that was not read.
func (w *response) leaveBody() {
	if w.r.ProtoMajor != 1 || w.hijacked || !w.unread() {
		return
	}
	_ = readDeadline(w.out)(time.Now().Add(min(leftover, w.rt.cfg.Limits.Body.IdleTimeout.D())))
}
