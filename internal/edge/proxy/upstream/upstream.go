// Package upstream says what one attempt is: a request in the form in which it
// goes to a server, the response in the form in which it comes back, and the
// contract that both transports (h1, the lean one, and std, net/http's) keep.
// The suite in upstreamtest runs on both.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

// Field is one header or trailer field line. Name is in canonical form
// (http.CanonicalHeaderKey) when it comes from a Transport.
type Field struct{ Name, Value string }

// Request is what goes to a server. The caller has already removed hop-by-hop
// fields and written our own; a Transport adds only what framing needs (Host,
// Content-Length or Transfer-Encoding, Connection and Upgrade for upgrades, TE)
// and invents nothing else: no User-Agent, no Accept-Encoding, no Content-Type.
type Request struct {
	Method string
	Target string      // origin-form, "path?query", sent byte for byte
	Host   string      // value of Host (":authority" on h2)
	Header http.Header // read only; shared by all attempts
	Extra  []Field     // set after Header, replacing the same names in it

	// Body is nil for a request without one. A Transport never closes it and
	// never reads it after RoundTrip's Response was closed or an error returned.
	Body          io.Reader
	ContentLength int64       // -1: unknown, chunked
	Trailer       http.Header // announced trailers; values are read after Body's EOF; nil: none

	// Timeout bounds the time from here to the final response's head; 0: only ctx
	// does. Its clock stands still while a Read of Body waits for the visitor
	// (guide, section 3.1(5)). Running out gives Outcome Timeout. It has no effect
	// on the response's body: that one only ends with ctx.
	Timeout time.Duration

	// Interrupt makes a Read of Body that is under way return soon, with any
	// error. A body that is large or of unknown length is read on a goroutine of
	// the Transport, which is joined before RoundTrip returns an error and in
	// Response.Close; if the attempt ends while that Read waits for the visitor,
	// Interrupt is called, at most once, and Body is not read again by this
	// attempt. nil says that a Read of Body never waits for long.
	Interrupt func()

	Expect  bool   // the visitor sent Expect: 100-continue; wait up to 1 s for 100 before the body
	Upgrade string // the protocol asked for ("websocket"), "" for plain requests
	Fresh   bool   // use a new or just probed connection: the request must not meet an idle-close race

	// Interim is called for each 1xx but 101 before the final head, on the
	// goroutine of RoundTrip; nil drops them. fields are lent for the call.
	Interim func(status int, fields []Field)
}

// Response is a final response (or 101) whose body has not been read yet.
// Close must be called exactly once; it waits for the body's writer goroutine,
// if there is one, and gives the connection back or closes it (reuse rules of
// the guide, section 5.2).
type Response struct {
	Status        int
	Fields        []Field // in the order received, hop-by-hop fields included; owned by the caller until Close
	ContentLength int64   // -1: unknown; 0 for HEAD, 204, 304 (the Content-Length field stays in Fields)

	// Body ends with io.EOF only when the whole body arrived; a body cut short
	// ends with an *Error. Never nil. It unblocks when the context is done.
	Body io.Reader

	// Trailer gives the trailer fields after Body's EOF; nil when none came.
	Trailer func() []Field

	// Conn is the raw connection after 101, buffered bytes included, nil otherwise.
	// Its owner is the caller: neither ctx nor Response.Close touch it. It must
	// have CloseWrite where the network has it.
	Conn io.ReadWriteCloser

	Reused bool // the connection came from the pool
	closer io.Closer
	cut    func()
}

// NewResponse returns r with close as what Close does.
func NewResponse(r Response, close func() error) *Response {
	r.closer = closeFunc(close)
	return &r
}

// OnClose sets what Close does. It is NewResponse for a Transport that keeps
// the Response inside of a value of its own and so saves two allocations.
func (r *Response) OnClose(c io.Closer) { r.closer = c }

// OnCut sets what Cut does.
func (r *Response) OnCut(f func()) { r.cut = f }

// Cut makes a Read of Body that is under way, and every later one, return soon
// with Outcome Timeout. Any goroutine may call it until Close is called.
func (r *Response) Cut() {
	if r.cut != nil {
		r.cut()
	}
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// Close ends the attempt. Unread body means that the connection is not reused.
func (r *Response) Close() error {
	c := r.closer
	if c == nil {
		return nil
	}
	r.closer = nil
	return c.Close()
}

// Get returns the first value of the field with this canonical name, or "".
func (r *Response) Get(name string) string {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return r.Fields[i].Value
		}
	}
	return ""
}

// Transport makes one attempt. It never repeats a request by itself; where a
// library under it may, each such replay is counted (Hidden). Safe for
// concurrent use. One Transport serves one server.
type Transport interface {
	// RoundTrip sends req and reads the response's head. ctx carries the
	// attempt's deadline and ends with the visitor's connection; after RoundTrip
	// returned, ctx still governs the body until Response.Close.
	// Errors are always *Error.
	RoundTrip(ctx context.Context, req *Request) (*Response, error)
	// Probe opens a connection as traffic would (TLS included) and keeps it for
	// reuse; nil says that the server accepts connections.
	Probe(ctx context.Context) error
	// Idle is the number of idle connections kept; Hidden the replays made by a library.
	Stats() Stats
	// Close closes idle connections and lets running attempts end.
	Close()
}

// Stats are figures of one Transport.
type Stats struct {
	Open, Idle int    // connections now
	Dials      uint64 // connections opened since start
	Hidden     uint64 // requests that the library under the Transport repeated by itself
}

// Error says how far an attempt got and why it ended.
type Error struct {
	Class   exchange.SendClass
	Outcome exchange.Outcome // Connect, Reset, Timeout, BadResponse or Canceled
	Reused  bool             // on a connection from the pool (class 3 and Reset: the ordinary idle-close race)
	Op      string           // what was being done: "dial", "handshake", "write request", "read response", "read body"
	Err     error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Op, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// ErrCutShort is wrapped in the error of a body that ended before its length.
var ErrCutShort = errors.New("response body cut short")

// ErrRequestBody is wrapped when reading the request's own body failed: the
// visitor's fault, never the server's (Outcome is Canceled).
var ErrRequestBody = errors.New("read request body")

// ErrInvalidRequest is wrapped when the Request cannot be written as HTTP (a
// line end in a field value, say). Nothing was sent; the server is not to blame
// (Outcome is Canceled).
var ErrInvalidRequest = errors.New("invalid request")
