package proxy

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/replay"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	// usualAttempts is for how many attempts a call has room without allocating.
	usualAttempts = 4
	// lateBody and lateTime bound what is taken from a visitor who still sends a
	// body that nobody wants, so that the answer reaches him before the close.
	lateBody = 1 << 20
	lateTime = time.Second
	// deathWithin is how soon after a failure a server must be found dead to count
	// as killed by the request (guide, 3.1(8)).
	deathWithin = time.Second
)

// Words for Exchange.Abort.
const (
	abortVisitor = "client_gone"
	abortCut     = "upstream_cut"
)

// call is one request on its way through the proxy: the state that its attempts
// share. It is pooled; end leaves nothing behind.
type call struct {
	h *handler
	w http.ResponseWriter
	r *http.Request
	x *exchange.Exchange

	// Made by prepare.
	req           upstream.Request
	extra         [2]upstream.Field
	host          string // the visitor's, in normal form
	repeatability repeatability
	hasBody       bool
	fresh         bool
	extended      bool // CONNECT with a protocol (RFC 8441)

	body      replay.Body
	announced http.Header // names of the visitor's trailer, without values; nil: none
	streaming bool        // body has begun
	watch     stopwatch

	counted  bool // in the budget
	visit    origin.Visit
	base     time.Time // since when the whole time of the request runs
	at       attempt
	used     []string
	killers  []killer // of attempts whose connection died with the request sent
	held     *held    // the last real answer, nil: none
	retry    verdict  // that led to the next attempt
	spending bool     // a retry of the budget, until its attempt has ended

	answer     answer // on its way to the visitor
	sink       sink
	pause      pause
	forwarding bool // the answer has begun
	failed     bool // the visitor saw a failure
	gone       bool // the visitor left

	usedRoom [usualAttempts]string

	// Bound once, as each would be an allocation per request.
	interimFunc func(int, []upstream.Field)
	headerFunc  func(string) string
	cookieFunc  func(string) string
}

func newCall() *call {
	c := new(call)
	c.interimFunc, c.headerFunc, c.cookieFunc = c.interim, c.headerValue, c.cookieValue
	return c
}

// serve answers the request.
func (c *call) serve() {
	c.prepare()
	c.h.origin.budget.enter()
	c.counted = true
	if c.hasBody {
		if err := c.receive(); err != nil {
			c.refuse(bodyFault(c.r.Context(), err))
			return
		}
	}
	entering := time.Now()
	visit, err := c.h.origin.servers.Enter(c.r.Context(), c.arrival(entering))
	if err != nil {
		c.x.QueueWait = time.Since(entering)
		c.refuse(queueFault(c.r.Context(), err, origin.Wait{}, false))
		return
	}
	c.visit = visit
	for {
		lease, err := c.acquire()
		if err != nil {
			c.withoutServer(err)
			return
		}
		if c.attempt(lease) {
			return
		}
	}
}

// receive begins the body. A small one is read whole before a server is asked:
// it goes out in one write, and net/http notices a visitor who leaves only when
// the body has been read. A larger one is teed while it streams.
func (c *call) receive() error {
	limits := c.h.policy.replay
	c.body.Begin(c.h.proxy.shared.current.Load(), c.r.Body, c.r.ContentLength, limits)
	c.streaming = true
	switch {
	case c.h.bufferRequest:
		if err := c.body.Prefetch(limits.Total); err != nil {
			return err
		}
		c.req.Expect = false // the visitor has been told to go on
	case !c.req.Expect && c.r.ContentLength > 0 && c.r.ContentLength <= limits.Memory:
		if err := c.body.Prefetch(c.r.ContentLength); err != nil {
			return err
		}
	}
	if c.body.Complete() {
		if c.req.ContentLength < 0 && c.req.Trailer == nil {
			c.req.ContentLength = c.body.Consumed()
		}
		return nil
	}
	// HTTP/1 would otherwise stop reading the body when the answer begins; the other
	// protocols have no such switch.
	_ = http.NewResponseController(c.w).EnableFullDuplex()
	if !c.req.Expect {
		c.body.ReadAhead(limits.Memory)
	}
	return nil
}

// arrival is what the origin must know of the request.
func (c *call) arrival(now time.Time) origin.Arrival {
	a := origin.Arrival{
		At:     now,
		Header: c.headerFunc, Cookie: c.cookieFunc, Secure: c.x.Scheme == "https",
		Safe: c.req.Method == http.MethodGet || c.req.Method == http.MethodHead || c.req.Method == http.MethodOptions,
	}
	if c.h.byClient {
		a.Client = c.x.Client.String()
	}
	if c.streaming {
		a.HeldBytes = c.h.policy.replay.Memory
		if n := c.r.ContentLength; n >= 0 && n < a.HeldBytes {
			a.HeldBytes = n
		}
	}
	return a
}

func (c *call) headerValue(name string) string { return c.r.Header.Get(name) }

func (c *call) cookieValue(name string) string {
	cookie, err := c.r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// acquire gets a server for the next attempt. A retry waits no longer than an
// attempt after it would make sense.
func (c *call) acquire() (origin.Lease, error) {
	ctx := c.r.Context()
	if len(c.used) == 0 {
		return c.visit.Acquire(ctx, nil, true)
	}
	if lease, err := c.visit.Acquire(ctx, c.used, false); err == nil {
		return lease, nil
	}
	// While it waits for a server it is no load on any. The queue lets it out at the
	// pace that the servers bear, so then the budget is not asked again.
	c.endRetry()
	limited, cancel := context.WithDeadline(ctx, c.base.Add(c.h.policy.timeout-c.h.policy.minTry))
	defer cancel()
	lease, err := c.visit.Acquire(limited, c.used, true)
	if err == nil {
		c.spending = true
		c.h.origin.budget.resume()
	}
	return lease, err
}

// remaining is what is left of the request's whole time at now.
func (c *call) remaining(now time.Time) time.Duration {
	return c.h.policy.timeout - now.Sub(c.base)
}

// withoutServer answers a request for which there was no server, for the first
// time or for another attempt.
func (c *call) withoutServer(err error) {
	tried := len(c.used) > 0
	if tried && c.r.Context().Err() == nil {
		c.deny(whyNoServer)
		if c.held != nil {
			c.answerHeld()
			return
		}
	}
	c.refuse(queueFault(c.r.Context(), err, c.visit.Wait(), tried))
}

// deny notes why the last failure is not followed by another attempt.
func (c *call) deny(why string) {
	c.x.RetryDenied = why
	c.h.origin.counters.denied(why)
}

// refuse answers with an error of our own.
func (c *call) refuse(f fault) {
	if f.status == statusGone {
		c.leave()
	}
	c.failed = f.status >= 500
	c.closeIfUnread()
	c.forwarding = true
	c.h.proxy.options.Fail(c.w, c.r, f.status, f.reason, f.retryAfter)
	c.drainBody()
}

// leave ends a request whose visitor has left. It does not return.
func (c *call) leave() {
	c.gone = true
	if !c.forwarding {
		c.x.Status = statusGone
	}
	c.x.Abort = abortVisitor
	panic(http.ErrAbortHandler)
}

// cut ends a request whose answer broke off. It does not return: a cut answer
// must not look whole. Nor may it look like none: visitors send a request again
// whose connection was used before and ends without a byte, some of them a POST
// too (RFC 9112 section 9.3.1), and this one may have been applied.
func (c *call) cut() {
	c.failed = true
	c.x.Abort = abortCut
	_ = flush(c.w) // a visitor who has left hears nothing anyway
	panic(http.ErrAbortHandler)
}

// drainBody lets a visitor who still sends read the answer that has gone out.
// Only HTTP/1 needs it: closing a connection with unread bytes takes back what
// the visitor has not read yet.
func (c *call) drainBody() {
	if !c.streaming || c.r.ProtoMajor != 1 || c.body.Complete() || c.body.Err() != nil {
		return
	}
	if flush(c.w) == nil {
		c.body.Drain(lateBody, lateTime)
	}
}

// end gives back all that the call holds, also when the handler panics.
func (c *call) end() {
	c.at.release(c)
	if c.held != nil {
		c.held.discard()
		c.finishHeld()
	}
	o := c.h.origin
	if c.visit != nil {
		met := c.visit.Leave()
		c.x.QueueWait, c.x.QueuePosition, c.x.QueueEstimate = met.Queued, met.Position, met.Estimate
	}
	c.endRetry()
	c.leaveBudget()
	if c.streaming {
		if why := c.body.Overflow(); why != replay.Kept {
			o.counters.overflowed(c.h.name, string(why))
		}
		c.body.Close(c.unblock)
	}
	c.count()
	c.reset()
	calls.Put(c)
}

// leaveBudget ends the request's part in the budget: it is under way no longer.
func (c *call) leaveBudget() {
	if c.counted {
		c.counted = false
		c.h.origin.budget.leave()
	}
}

// unblock ends a Read of the visitor's body that is under way.
func (c *call) unblock() {
	// Where it is not supported nothing can be waiting: a test's request.
	_ = http.NewResponseController(c.w).SetReadDeadline(past)
}

// count adds the request to the figures of what visitors did and did not see.
func (c *call) count() {
	switch {
	case c.gone:
	case c.failed:
		c.h.origin.counters.client.Inc()
	case slices.ContainsFunc(c.x.Attempts, func(a exchange.Attempt) bool { return a.Failed() }):
		c.h.origin.counters.hidden.Inc()
	}
}

// reset forgets the request.
func (c *call) reset() {
	c.h, c.w, c.r, c.x = nil, nil, nil, nil
	c.req, c.extra, c.host = upstream.Request{}, [2]upstream.Field{}, ""
	c.repeatability, c.hasBody, c.fresh, c.extended = plain, false, false, false
	c.announced, c.streaming, c.counted, c.visit, c.base = nil, false, false, nil, time.Time{}
	c.at, c.used, c.killers, c.held = attempt{}, nil, nil, nil
	c.usedRoom = [usualAttempts]string{}
	c.retry, c.spending, c.answer, c.sink = verdict{}, false, answer{}, sink{}
	c.forwarding, c.failed, c.gone = false, false, false
}
