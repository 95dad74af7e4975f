package proxy

import (
	"slices"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

// The reasons for which a failed attempt is not followed by another one. They
// are the words of the metric and the access log.
const (
	whyMethod        = "method"         // repeating might apply the request twice
	whyNotReplayable = "not_replayable" // the beginning of its body is no longer kept
	whyAttempts      = "attempts"       // all attempts are used up
	whyDeadline      = "deadline"       // the time is used up
	whyBudget        = "budget"         // the origin has as many retries as it should bear
	whyPoison        = "poison"         // two servers died of it
	whyNoServer      = "no_server"      // none to be had in time
)

// facts is all that the decision over a retry depends on.
type facts struct {
	class         exchange.SendClass
	outcome       exchange.Outcome
	status        int           // of a response whose head was read, else 0
	retryAfter    time.Duration // what the response asks for; with asked only
	asked         bool          // the response has Retry-After
	notProcessed  bool          // the response says that the request was not processed
	repeatability repeatability
	upgrade       bool // CONNECT or an upgrade
	replayable    bool // every body byte used so far is kept
	attempts      int  // made so far
	poisoned      bool // two servers died holding the request
	untried       bool // an eligible server has not seen the request
	backoff       time.Duration
	remaining     time.Duration // of the request's whole time
}

// verdict is what follows from facts. The zero verdict says that nothing failed
// that would be retried.
type verdict struct {
	retry  bool
	reason string        // the failure's word, "" if it is none that is retried
	why    string        // why not, "" if it is retried or no failure
	wait   time.Duration // before the next attempt
}

// decide says whether an attempt is followed by another one. It is the guide's
// table 3.1 and its rules 1, 2, 4, 5 and 8; the budget is asked afterwards, as
// asking spends it.
func (p *policy) decide(f facts) verdict {
	if !p.counts(f) {
		return verdict{}
	}
	v := verdict{reason: f.outcome.String()}
	if !p.harmless(f) {
		v.why = whyMethod
		return v
	}
	if !f.replayable {
		v.why = whyNotReplayable
		return v
	}
	if f.attempts >= int(p.attempts.Load()) {
		v.why = whyAttempts
		return v
	}
	if f.poisoned {
		v.why = whyPoison
		return v
	}
	if !f.untried {
		v.wait = max(f.backoff, f.retryAfter)
	}
	if f.remaining-v.wait < p.minTry {
		v.why = whyDeadline
		return v
	}
	v.retry = true
	return v
}

// counts reports whether the attempt failed in a way that retries are on for.
func (p *policy) counts(f facts) bool {
	if f.class == exchange.Forwarded || !p.on[f.outcome] {
		return false
	}
	switch f.outcome {
	case exchange.Connect, exchange.Reset, exchange.Timeout, exchange.BadResponse:
		return true
	case exchange.BadStatus:
		return slices.Contains(p.statuses, f.status) || (f.notProcessed && f.status >= 500)
	}
	return false
}

// harmless reports whether repeating cannot apply the request twice, or somebody
// said that twice is as good as once.
func (p *policy) harmless(f facts) bool {
	if f.class <= exchange.NotSent {
		return true
	}
	if f.upgrade {
		return false
	}
	if f.repeatability != plain {
		return true
	}
	switch f.class {
	case exchange.PartlySent:
		return p.partial
	case exchange.FullySent:
		return p.noResponse
	case exchange.Answered:
		return p.status || f.notProcessed || (f.status == 503 && f.asked)
	}
	return false
}

// backoff is the wait before the same servers are asked for the n-th time again,
// n from 1: full jitter, random in [0, 1), over a bound that doubles.
func (p *policy) backoff(n int, random float64) time.Duration {
	bound := p.backoffBase
	for ; n > 1 && bound < p.backoffMax; n-- {
		bound *= 2
	}
	return time.Duration(random * float64(min(bound, p.backoffMax)))
}
