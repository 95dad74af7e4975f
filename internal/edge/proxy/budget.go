package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// budget bounds the extra load that retries put on one origin (guide, 3.1(6)),
// so that a failing origin is not finished off by the retries meant to hide its
// failure (Beyer et al., Site Reliability Engineering, chapter 21, "Deciding to
// Retry"). It lives over reloads. Safe for concurrent use.
type budget struct {
	requests atomic.Int64 // under way

	mu       sync.Mutex // guards the fields below
	cfg      config.Budget
	retries  int       // under way
	tokens   float64   // in the bucket at filledAt
	filledAt time.Time // zero: the bucket is full
}

// configure puts cfg in force. What the bucket holds stays, within its new size.
func (b *budget) configure(cfg config.Budget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.filledAt.IsZero() || b.tokens > float64(cfg.Burst) {
		b.tokens = float64(cfg.Burst)
	}
	b.cfg = cfg
}

// enter counts a request until leave.
func (b *budget) enter() { b.requests.Add(1) }
func (b *budget) leave() { b.requests.Add(-1) }

// take spends one retry at now and reports whether there was one: fewer are
// under way than max(min, percent of the requests under way), and the bucket is
// not empty. A retry that was taken must be given back when its attempt ended.
func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	allowed := max(b.cfg.Min, int(b.requests.Load())*b.cfg.Percent/100)
	if b.retries >= allowed || b.tokens < 1 {
		return false
	}
	b.retries++
	b.tokens--
	return true
}

// give ends a retry.
func (b *budget) give() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries--
}

// underWay is the number of retries under way.
func (b *budget) underWay() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.retries
}

func (b *budget) fill(now time.Time) {
	if !b.filledAt.IsZero() {
		b.tokens += now.Sub(b.filledAt).Seconds() * b.cfg.Rate
	}
	b.tokens = min(b.tokens, float64(b.cfg.Burst))
	b.filledAt = now
}
