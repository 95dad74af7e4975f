package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/replay"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// attempt is one try of the request on one server.
type attempt struct {
	lease  origin.Lease // nil: over
	index  int          // in the exchange
	start  time.Time
	resp   *upstream.Response // nil: none, or closed
	reader *replay.Reader     // of the request's body, nil: none
	cancel context.CancelCauseFunc
}

// attempt tries the request on the server of lease, and reports whether the
// visitor has been answered. It does not return if the visitor has left.
func (c *call) attempt(lease origin.Lease) (answered bool) {
	now := time.Now()
	if len(c.used) == 0 {
		c.base = now
	}
	if c.retry.retry {
		c.x.Attempts[len(c.x.Attempts)-1].Retried = true
		c.h.origin.counters.retried(c.retry.reason)
		c.retry = verdict{}
	}
	c.x.Attempts = append(c.x.Attempts, exchange.Attempt{Server: lease.Server(), After: now.Sub(c.x.Start)})
	c.at = attempt{lease: lease, index: len(c.x.Attempts) - 1, start: now}
	if c.used == nil {
		c.used = c.usedRoom[:0]
	}
	c.used = append(c.used, lease.Server())

	resp, err := c.send(c.next(now), now)
	if err != nil {
		return c.failedAttempt(err)
	}
	c.at.resp = resp
	if resp.Conn != nil {
		c.tunnel()
		return true
	}
	return c.received()
}

// next is the upstream request of the attempt that begins at now. The first one
// uses the call's own; a later one gets a copy, since the writer of a former one
// may still look at its own.
func (c *call) next(now time.Time) *upstream.Request {
	q := &c.req
	if c.at.index > 0 {
		again := c.req
		again.Extra = append([]upstream.Field(nil), c.req.Extra...)
		q = &again
	}
	q.Extra[0].Value = attemptNumber(c.at.index + 1)
	if q.Host = c.at.lease.Host(); q.Host == "" {
		q.Host = c.host
	}
	q.Fresh = c.fresh
	q.Timeout = max(c.remaining(now), time.Nanosecond) // 0 would be no limit
	if try := c.h.policy.tryTimeout; try > 0 {
		q.Timeout = min(q.Timeout, try)
	}
	return q
}

// send makes the attempt, with the request's body if there is one.
func (c *call) send(q *upstream.Request, now time.Time) (*upstream.Response, error) {
	ctx := c.r.Context()
	if !c.hasBody {
		return c.at.lease.Transport().RoundTrip(ctx, q)
	}
	if c.body.Complete() {
		c.at.reader = c.body.NewReader(nil)
		q.Body, q.Interrupt = c.at.reader, nil
		c.trail(q)
		return c.at.lease.Transport().RoundTrip(ctx, q)
	}
	// The visitor still sends: the clock is ours, not the transport's.
	c.at.reader = c.body.NewReader(&c.watch)
	q.Body, q.Interrupt = c.at.reader, c.at.reader.Interrupt
	c.trail(q)
	q.Fresh = q.Fresh || !c.body.Replayable()
	ctx, cancel := context.WithCancelCause(ctx)
	c.at.cancel = cancel
	limit := q.Timeout
	q.Timeout = 0
	c.watch.start(limit, func() { cancel(errTime) })
	resp, err := c.at.lease.Transport().RoundTrip(ctx, q)
	base, _ := c.watch.stop()
	if base.After(now) {
		c.base = base
	}
	return resp, err
}

// trail gives q the trailer that the visitor has announced, if any.
func (c *call) trail(q *upstream.Request) {
	if c.announced != nil {
		t := trail(q.Body, c.announced, c.r.Trailer)
		q.Body, q.Trailer = t, t.own
	}
}

// failedAttempt deals with an attempt that brought no response.
func (c *call) failedAttempt(err error) (answered bool) {
	var e *upstream.Error
	if !errors.As(err, &e) { // the contract says that it is one
		e = &upstream.Error{Class: exchange.FullySent, Outcome: exchange.Reset, Op: "attempt", Err: err}
	}
	lease := c.at.lease
	if upstream.LocalFault(e) {
		lease.Report(exchange.Canceled, 0) // nothing was learned about the server
	} else {
		lease.Report(e.Outcome, 0)
	}
	c.record(e.Class, e.Outcome, 0, e)
	c.at.release(c)
	if e.Outcome == exchange.Canceled {
		c.canceled(e)
		return true
	}
	if e.Class >= exchange.PartlySent && (e.Outcome == exchange.Reset || e.Outcome == exchange.BadResponse) {
		c.killers = append(c.killers, killer{lease, time.Now()})
	}
	if c.again(c.facts(e.Class, e.Outcome)) {
		return false
	}
	if c.held != nil {
		c.answerHeld()
		return true
	}
	c.refuse(attemptFault(e.Outcome))
	return true
}

// canceled answers a request that could not be sent because of the visitor.
func (c *call) canceled(e *upstream.Error) {
	ctx := c.r.Context()
	switch {
	case errors.Is(e, upstream.ErrInvalidRequest):
		c.refuse(fault{status: http.StatusBadRequest, reason: ReasonBadRequest})
	case c.streaming && c.body.Err() != nil:
		c.refuse(bodyFault(ctx, c.body.Err()))
	case ctx.Err() != nil:
		c.refuse(faultGone)
	default: // a body that cannot be sent, such as one with a broken trailer
		c.refuse(fault{status: http.StatusBadRequest, reason: ReasonBadBody})
	}
}

// received deals with the head of a final response.
func (c *call) received() (answered bool) {
	resp, p := c.at.resp, c.h.policy
	notProcessed := p.notProcessed != "" && resp.Get(p.notProcessed) != ""
	outcome := p.outcomeOf(resp.Status, notProcessed)
	if outcome != exchange.Success {
		return c.badStatus(notProcessed)
	}
	c.fromServer()
	if n := resp.ContentLength; n > 0 && n <= p.holdBody {
		whole, err := c.readWhole(n)
		if err != nil {
			e := &upstream.Error{Class: exchange.FullySent, Outcome: exchange.BadResponse, Op: "read body", Err: err}
			var cause *upstream.Error
			if errors.As(err, &cause) && cause.Outcome != exchange.Reset {
				e.Outcome = cause.Outcome
			}
			return c.failedAttempt(e)
		}
		c.answer.body = whole
	}
	c.at.lease.Report(exchange.Success, resp.Status)
	c.discardHeld()
	c.deliver()
	return true
}

// fromServer makes the answer of the response under way.
func (c *call) fromServer() {
	resp := c.at.resp
	c.answer = answer{
		status: resp.Status, fields: resp.Fields, length: resp.ContentLength, body: resp.Body, trailer: resp.Trailer,
		cookie: c.at.lease.SetCookie(),
	}
}

// badStatus deals with a response that counts as a failure.
func (c *call) badStatus(notProcessed bool) (answered bool) {
	resp := c.at.resp
	c.at.lease.Report(exchange.BadStatus, resp.Status)
	f := c.facts(exchange.Answered, exchange.BadStatus)
	f.status, f.notProcessed = resp.Status, notProcessed
	f.retryAfter, f.asked = retryAfter(resp.Get("Retry-After"), time.Now())
	v := c.h.policy.decide(f)
	unsent := c.at.reader != nil && !c.body.Complete()
	if !v.retry {
		c.again(f) // only says why
		c.discardHeld()
		c.failed = true
		c.fromServer()
		c.deliver()
		return true
	}
	c.record(exchange.Answered, exchange.BadStatus, resp.Status, nil)
	c.discardHeld()
	c.held = hold(c.at, c.h.policy.holdResponse)
	// Its server has done its work. With its slot kept, a retry that finds no other
	// server would wait for a slot that it holds itself.
	c.at.lease.Done()
	c.at = attempt{}
	c.endRetry()
	if unsent && !c.awaitHeld() {
		c.deny(whyNotReplayable)
		c.answerHeld()
		return true
	}
	if c.again(f) {
		return false
	}
	c.answerHeld()
	return true
}

// tunnel serves an upgraded connection to its end.
func (c *call) tunnel() {
	c.at.lease.Report(exchange.Success, http.StatusSwitchingProtocols)
	c.discardHeld()
	c.forwarding = true
	c.leaveBudget() // a thousand quiet tunnels must not allow two hundred retries
	err := c.upgrade(c.at.resp)
	c.record(exchange.Forwarded, exchange.Success, http.StatusSwitchingProtocols, nil)
	if err != nil {
		c.at.release(c)
		c.leave()
	}
	c.at.release(c)
}

// record writes how the attempt under way ended.
func (c *call) record(class exchange.SendClass, outcome exchange.Outcome, status int, err *upstream.Error) {
	a := &c.x.Attempts[c.at.index]
	a.Duration = time.Since(c.at.start)
	a.Class, a.Outcome, a.Status = class, outcome, status
	if err != nil {
		a.Error = err.Error()
	}
}

// release ends the attempt: its response, its clock and its place at the server.
func (a *attempt) release(c *call) {
	if a.lease == nil {
		return
	}
	if a.resp != nil {
		_ = a.resp.Close() // what is lost is the connection
	}
	if a.cancel != nil {
		a.cancel(nil)
	}
	c.h.origin.counters.attempt(&c.x.Attempts[a.index])
	a.lease.Done()
	*a = attempt{}
	c.endRetry()
}
