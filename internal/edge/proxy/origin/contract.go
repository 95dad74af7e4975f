package origin

import (
	"context"
	"errors"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// What Enter and Acquire answer when there is no server to be had. Both are
// answered 503 with Retry-After.
var (
	ErrQueueFull     = errors.New("queue full")
	ErrQueueDeadline = errors.New("waited too long in the queue")
)

// Arrival is what the origin must know of a request to queue it and to choose.
type Arrival struct {
	Client    string // key for balance: client
	Header    func(name string) string
	Cookie    func(name string) string
	Secure    bool      // the visitor came by https: the sticky cookie gets Secure
	At        time.Time // when the request came; zero: now
	Safe      bool      // GET, HEAD, OPTIONS: may be a trial of an ejected server
	HeldBytes int64     // request body bytes held in memory while waiting; counts against queue.max_bytes
}

// Wait says what an Arrival met in the queue.
type Wait struct {
	Queued   time.Duration // total, 0: did not wait
	Position int           // on joining the queue, from 1; 0: did not wait
	Estimate time.Duration // told on joining, 0: unknown
}

// Visit is one request inside an origin, from Enter to Leave: it holds the
// origin's slot and its place in the order of arrival. Not safe for concurrent use.
type Visit interface {
	// Acquire chooses a server not in used (addresses as Lease.Server gives them)
	// if one is eligible, else one of used, and takes a slot of it. It waits in
	// the queue, at the place of the visit's arrival and up to its original
	// deadline, while no server is eligible or none has a free slot. wait is false
	// for "only if there is one now": then ErrQueueDeadline comes at once.
	// Errors: ErrQueueFull, ErrQueueDeadline, or ctx.Err().
	Acquire(ctx context.Context, used []string, wait bool) (Lease, error)
	// Untried reports whether a server is eligible now that is not in used.
	Untried(used []string) bool
	// Wait is what was met in the queue so far.
	Wait() Wait
	// Leave frees the origin's slot, and says what was met in the queue. Exactly once.
	Leave() Wait
}

// Lease is one server's slot, from Acquire to Done.
type Lease interface {
	Server() string // address, unique in the origin: the name in logs and metrics
	Host() string   // value for Host if origins.NAME.host says server or a name; "" for the visitor's own
	Transport() upstream.Transport
	// SetCookie is the Set-Cookie value that makes the visitor stick to this
	// server, "" when there is nothing to set.
	SetCookie() string
	// Report tells how the attempt ended, once, as soon as it is known (the
	// response's head for a good one; again, as a failure, only if the body is
	// cut short afterwards). status is 0 without a response. It moves the
	// server's state (guide, section 4.1). Canceled never counts.
	Report(outcome exchange.Outcome, status int)
	// Dead reports whether the server died after the attempt: its next connect
	// was refused, or checks fail, within within of the report (poison guard, 3.1(8)).
	Dead(ctx context.Context, within time.Duration) bool
	// Done frees the slot. Exactly once, after the response body's end.
	Done()
}
