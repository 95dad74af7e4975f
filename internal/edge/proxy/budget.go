package proxy

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// budgetPatience is how long a retry waits for the budget to have room for it. A
// server that dies takes with it what it had under way, at once: more than may be
// retried at once, and no more than the bucket is there for.
const budgetPatience = time.Second

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
	waiting  []*budgetWait
	timer    *time.Timer // for the token that the first one waits for; nil: never needed
}

// budgetWait is a retry that waits.
type budgetWait struct{ granted chan struct{} }

// configure puts cfg in force. What the bucket holds stays, within its new size,
// and those who wait get what there is more.
func (b *budget) configure(cfg config.Budget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.filledAt.IsZero() || b.tokens > float64(cfg.Burst) {
		b.tokens = float64(cfg.Burst)
	}
	b.cfg = cfg
	b.hand(time.Now())
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
	return len(b.waiting) == 0 && b.spend(now)
}

// await is a take that waits when there is no retry: first come, first served,
// until patience is over or ctx ends.
func (b *budget) await(ctx context.Context, patience time.Duration) bool {
	if b.take(time.Now()) {
		return true
	}
	patience = min(patience, budgetPatience)
	w := b.join(time.Now(), patience)
	if w == nil {
		return false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.granted:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return !b.quit(w)
}

// join makes a retry wait, or returns nil where that is of no use: the bucket will
// not have enough in time for those who came before, and for it.
func (b *budget) join(now time.Time, patience time.Duration) *budgetWait {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now)
	if patience <= 0 || b.allowed() == 0 || b.tokens+b.cfg.Rate*patience.Seconds() < float64(len(b.waiting)+1) {
		return nil
	}
	w := &budgetWait{granted: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.hand(now)
	return w
}

// quit ends the waiting of w; false if it has been granted already.
func (b *budget) quit(w *budgetWait) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	return true
}

// hand grants what there is to those who wait, and sees to it that it is called
// again when the bucket has the next token.
func (b *budget) hand(now time.Time) {
	for len(b.waiting) > 0 && b.spend(now) {
		close(b.waiting[0].granted)
		b.waiting = slices.Delete(b.waiting, 0, 1)
	}
	if len(b.waiting) == 0 || b.tokens >= 1 || b.cfg.Rate <= 0 {
		return // whoever gives a retry back calls it
	}
	next := time.Duration((1 - b.tokens) / b.cfg.Rate * float64(time.Second))
	next = max(next, time.Millisecond) // not before the token is whole
	if b.timer == nil {
		b.timer = time.AfterFunc(next, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.hand(time.Now())
		})
		return
	}
	b.timer.Reset(next)
}

// spend takes a retry if there is one. The caller holds mu.
func (b *budget) spend(now time.Time) bool {
	b.fill(now)
	if b.retries >= b.allowed() || b.tokens < 1 {
		return false
	}
	b.retries++
	b.tokens--
	return true
}

// allowed is how many retries may be under way.
func (b *budget) allowed() int {
	return max(b.cfg.Min, int(b.requests.Load())*b.cfg.Percent/100)
}

// give ends a retry.
func (b *budget) give() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries--
	if len(b.waiting) > 0 {
		b.hand(time.Now())
	}
}

// resume counts a retry again that was given back while it waited for a server.
func (b *budget) resume() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries++
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
