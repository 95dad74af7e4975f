// Package exchange is the record of one request and its response on their way
// through the door. Each step of the pipeline writes its own part; after the
// last byte the observers (access log, metrics, later audit) read it. Nothing
// parses a request a second time.
//
// It is vocabulary: standard library only, imported by everybody.
package exchange

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Exchange is made once per request by the gateway, pooled, and carried in the
// request's context. It belongs to the request's own goroutine: a step that
// starts a goroutine joins it before it returns, and an observer that works
// later copies what it needs. Strings are never changed in place.
type Exchange struct {
	// Written by the gateway when the exchange begins.
	ID     string     // request id: ours, or that of a trusted peer
	Start  time.Time  // when the request's header had been read
	Peer   netip.Addr // the connection's other end, after PROXY protocol
	Client netip.Addr // the visitor, after trusted X-Forwarded-For
	Scheme string     // "http" or "https" as the visitor used it
	Proto  string     // "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"
	TLS    TLS

	// Written by hygiene: the one normal form that everybody uses.
	Method string
	Host   string // lower case, no port, no trailing dot, punycode
	Path   string // normal form, before strip_prefix and rewrite
	Query  string // byte for byte as sent, without "?"

	UserAgent string // as sent, for the log
	Referer   string // as sent, for the log

	// Written by routing.
	Site   string // first host name of the site, "" while unknown
	Route  string // the route's name, "" while unknown
	Origin string // the origin's name, "" for routes without one

	// Written by whoever refuses the request: a word of a small closed list
	// ("ip_denied", "maintenance", "no_route", "body_too_large", ...).
	Denial string

	// Written by the proxy.
	QueueWait     time.Duration // total time spent waiting for a server or slot
	QueuePosition int           // place in the queue on joining, 0: did not wait
	QueueEstimate time.Duration // expected wait told on joining, 0: unknown
	Attempts      []Attempt     // in order; reset to length 0, never reallocated
	RetryDenied   string        // why the last failure was not retried: "budget", "method", ...
	WouldRetry    string        // retry.dry_run: the reason for which a retry would have been made

	// Written when the response goes out.
	BytesIn  int64  // request body bytes read from the visitor
	BytesOut int64  // response body bytes written to the visitor
	Status   int    // status sent; 499 when the visitor left before one
	Abort    string // why the response was cut: "client_gone", "upstream_cut", ...
	Upgraded bool   // the connection became a tunnel

	// Duration is the time from Start to the last byte, for the observers.
	Duration time.Duration
}

// TLS holds the facts of the visitor's TLS connection. The zero value means plain HTTP.
type TLS struct {
	Version uint16 // tls.VersionTLS13, ...
	SNI     string // server name asked for
	Subject string // of a verified client certificate, RFC 2253 form, "" without one
}

// SendClass is the furthest point that an attempt reached (guide, section 3.1).
type SendClass uint8

// The classes. They only grow: logs and metrics carry the numbers.
const (
	NotConnected SendClass = iota // 0: no connection (resolve, dial)
	NotSent                       // 1: connected, or handshake failed, 0 request bytes written
	PartlySent                    // 2: head or part of the body written
	FullySent                     // 3: all written, no final status yet
	Answered                      // 4: final status and headers read, nothing forwarded
	Forwarded                     // 5: at least one byte of the final response sent to the visitor
)

// Outcome says how an attempt ended.
type Outcome uint8

// The outcomes. String gives the words used in logs and metric labels.
const (
	Success     Outcome = iota // a response that counts as good was read
	BadStatus                  // a response whose status counts as a failure
	Connect                    // resolve, dial or handshake error
	Reset                      // the connection ended before a full response
	Timeout                    // the attempt's time ran out
	BadResponse                // not HTTP, too large, or cut short
	Canceled                   // the visitor left; never counts against the server
)

func (o Outcome) String() string {
	switch o {
	case Success:
		return "success"
	case BadStatus:
		return "status"
	case Connect:
		return "connect"
	case Reset:
		return "reset"
	case Timeout:
		return "timeout"
	case BadResponse:
		return "bad_response"
	case Canceled:
		return "canceled"
	}
	return "unknown"
}

// Attempt is one try of the request on one server.
type Attempt struct {
	Server   string        // the server's address as configured
	After    time.Duration // from Exchange.Start to the start of the attempt
	Duration time.Duration // to the end of the response body, or to the failure
	Class    SendClass
	Outcome  Outcome
	Status   int    // 0 when no final status was read
	Retried  bool   // another attempt followed because of this one
	Error    string // short text for the log, "" on success
}

// Failed reports whether a visitor would have seen this attempt's failure had
// it been the only one.
func (a *Attempt) Failed() bool {
	return a.Outcome != Success && a.Outcome != Canceled
}

var pool = sync.Pool{New: func() any { return &Exchange{Attempts: make([]Attempt, 0, 4)} }}

// Get returns a zero Exchange from the pool.
func Get() *Exchange { return pool.Get().(*Exchange) }

// Put resets x and gives it back. Nobody may hold x afterwards.
func Put(x *Exchange) {
	clear(x.Attempts[:cap(x.Attempts)])
	*x = Exchange{Attempts: x.Attempts[:0]}
	pool.Put(x)
}

type contextKey struct{}

// Slot is part of a context that is made for one request at a time and can carry
// its exchange without another context around it. Its owner asks Carried before
// anything else that it knows, and empties it with Carry(nil) when the request is
// over. Safe for concurrent use.
type Slot struct{ x atomic.Pointer[Exchange] }

// Carry puts x, which may be nil, into the slot.
func (s *Slot) Carry(x *Exchange) { s.x.Store(x) }

// Carried is the exchange, if that is what key asks a context for; nil if it is
// not, or if there is none.
func (s *Slot) Carried(key any) *Exchange {
	if _, asked := key.(contextKey); asked {
		return s.x.Load()
	}
	return nil
}

// NewContext returns a context that carries x: ctx itself if it has a Slot.
func NewContext(ctx context.Context, x *Exchange) context.Context {
	if s, ok := ctx.(interface{ Carry(x *Exchange) }); ok {
		s.Carry(x)
		return ctx
	}
	return context.WithValue(ctx, contextKey{}, x)
}

// From returns the Exchange of ctx. Outside of the gateway (in tests of a
// single step) there is none; then From returns a fresh one, so that steps
// need no nil check.
func From(ctx context.Context) *Exchange {
	if x, ok := ctx.Value(contextKey{}).(*Exchange); ok {
		return x
	}
	return &Exchange{Start: time.Now()}
}
