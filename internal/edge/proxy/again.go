package proxy

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/exchange"
)

// killer is an attempt that may have killed its server.
type killer struct {
	lease origin.Lease
	at    time.Time // of its failure
}

// again decides over another attempt, spends the budget for it and waits for its
// time. What is decided is noted in the exchange and the metrics.
func (c *call) again(f facts) bool {
	v := c.h.policy.decide(f)
	if v.retry && c.h.policy.dryRun {
		c.x.WouldRetry = v.reason
		c.h.origin.counters.would(v.reason)
		return false
	}
	if v.retry && len(c.killers) >= 2 {
		f.poisoned = c.poisoned()
		f.remaining = c.remaining(time.Now()) // finding out took time
		v = c.h.policy.decide(f)
	}
	if v.retry && !c.h.origin.budget.await(c.r.Context(), f.remaining-v.wait-c.h.policy.minTry) {
		v.retry, v.why = false, whyBudget
	}
	if !v.retry {
		if v.why != "" {
			c.deny(v.why)
		}
		return false
	}
	c.spending = true
	c.retry = v
	if !clock.Sleep(c.r.Context(), v.wait) {
		c.refuse(faultGone)
	}
	return true
}

// facts is what the decision over a retry depends on, for an attempt without a
// response.
func (c *call) facts(class exchange.SendClass, outcome exchange.Outcome) facts {
	tries := len(c.used)
	return facts{
		class: class, outcome: outcome, repeatability: c.repeatability,
		upgrade: c.req.Upgrade != "", replayable: !c.streaming || c.body.Replayable(),
		attempts: tries, untried: c.visit.Untried(c.used),
		backoff: c.h.policy.backoff(tries, rand.Float64()), remaining: c.remaining(time.Now()),
	}
}

// endRetry gives back what the attempt that has ended took of the budget.
func (c *call) endRetry() {
	if c.spending {
		c.spending = false
		c.h.origin.budget.give()
	}
}

// poisoned reports whether two servers died while they held the request. Each
// gets deathWithin to prove that it lives from now, and not from its own failure:
// the second may have worked on the request for long before it died too.
func (c *call) poisoned() bool {
	dead := make(map[string]bool)
	for _, k := range c.killers {
		if k.lease.Dead(c.r.Context(), time.Since(k.at)+deathWithin) {
			dead[k.lease.Server()] = true
		}
	}
	return len(dead) >= 2
}

// retryAfter reads the field of that name (RFC 9110 section 10.2.3): seconds, or
// a date.
func retryAfter(value string, now time.Time) (d time.Duration, asked bool) {
	if value == "" {
		return 0, false
	}
	// A number that is too large stands for the largest one.
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
