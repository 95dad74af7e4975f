package proxy

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/replay"
	"github.com/evergate/evergate/internal/exchange"
)

// policy is what a route does about failures: its origin's retry settings with
// the route's own over them. It is immutable but for attempts.
type policy struct {
	attempts     *atomic.Int32               // the route's own, or those of its origin, which a lever turns
	on           [exchange.Canceled + 1]bool // by outcome
	statuses     []int                       // that are retried
	bad          []int                       // that count as failures: statuses and health.fail_statuses
	acceptKey    bool
	idempotent   bool
	partial      bool // the opt-ins of non_idempotent
	noResponse   bool
	status       bool
	timeout      time.Duration
	tryTimeout   time.Duration // 0: what is left
	minTry       time.Duration
	backoffBase  time.Duration
	backoffMax   time.Duration
	replay       replay.Limits
	holdResponse int64
	holdBody     int64
	generateKey  bool
	notProcessed string // canonical name of the header, "" for none
	dryRun       bool
}

// newPolicy resolves the settings of a route (nil: no overrides) to o.
func newPolicy(o *config.Origin, over *config.RetryOverride) *policy {
	r := over.Apply(o.Retry)
	p := &policy{
		attempts: new(atomic.Int32), statuses: r.Statuses,
		acceptKey: r.IdempotencyKey == "accept", idempotent: r.Idempotent,
		partial:    slices.Contains(r.NonIdempotent, "partial"),
		noResponse: slices.Contains(r.NonIdempotent, "no_response"),
		status:     slices.Contains(r.NonIdempotent, "status"),
		timeout:    r.Timeout.D(), tryTimeout: r.TryTimeout.D(), minTry: r.MinTry.D(),
		backoffBase: r.Backoff.Base.D(), backoffMax: r.Backoff.Max.D(),
		replay:       replay.Limits{Memory: int64(r.Replay.Memory), Total: int64(r.Replay.RouteMax)},
		holdResponse: int64(r.HoldResponse), holdBody: int64(r.HoldBody),
		generateKey: r.GenerateKey, dryRun: r.DryRun,
	}
	p.attempts.Store(int32(max(r.Attempts, 1)))
	if r.NotProcessedHeader != "" {
		p.notProcessed = http.CanonicalHeaderKey(r.NotProcessedHeader)
	}
	p.bad = append(slices.Clone(r.Statuses), o.Health.FailStatuses...)
	for outcome := exchange.Success; outcome <= exchange.Canceled; outcome++ {
		p.on[outcome] = slices.Contains(r.On, outcome.String())
	}
	return p
}

// repeatability is the column of the guide's table that a request belongs to.
type repeatability uint8

const (
	plain      repeatability = iota // POST and the like: repeated only if nothing was applied
	keyed                           // the like, but its key or the configuration says that repeating is harmless
	idempotent                      // RFC 9110 section 9.2.2
)

// repeatabilityOf is the column for a request.
func (p *policy) repeatabilityOf(method string, hasKey bool) repeatability {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE":
		return idempotent
	}
	if p.idempotent || (hasKey && p.acceptKey) {
		return keyed
	}
	return plain
}

// outcomeOf is how an attempt counts that ended with a whole response head.
// notProcessed says that the head carries the not-processed header.
func (p *policy) outcomeOf(status int, notProcessed bool) exchange.Outcome {
	if slices.Contains(p.bad, status) || (notProcessed && status >= 500) {
		return exchange.BadStatus
	}
	return exchange.Success
}
