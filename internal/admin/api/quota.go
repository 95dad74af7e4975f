package api

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// quota limits how often each of many may do something. Safe for concurrent use.
// It remembers at most maxRemembered; when it must forget, it forgets those who
// have their whole burst again, and then those whom it saw first.
type quota struct {
	every rate.Limit
	burst int

	mu   sync.Mutex // guards the field below
	each map[string]*account
}

type account struct {
	limiter *rate.Limiter
	last    time.Time // of its use
}

// maxRemembered bounds a quota's memory to about a megabyte.
const maxRemembered = 4096

func newQuota(every rate.Limit, burst int) *quota {
	return &quota{every: every, burst: burst, each: map[string]*account{}}
}

// take counts one by who. When it is one too many, it is not counted, and wait is
// how long it takes until the next one may come.
func (q *quota) take(who string, now time.Time) (wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a := q.each[who]
	if a == nil {
		if len(q.each) >= maxRemembered {
			q.forget(now)
		}
		a = &account{limiter: rate.NewLimiter(q.every, q.burst)}
		q.each[who] = a
	}
	a.last = now
	r := a.limiter.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// forget makes room.
func (q *quota) forget(now time.Time) {
	oldest, when := "", now
	for who, a := range q.each {
		if a.limiter.TokensAt(now) >= float64(q.burst) {
			delete(q.each, who)
			continue
		}
		if oldest == "" || a.last.Before(when) {
			oldest, when = who, a.last
		}
	}
	if len(q.each) >= maxRemembered {
		delete(q.each, oldest)
	}
}

// neighbourhood is what counts as one peer: an IPv4 address, or an IPv6 network
// of 64 bits, which is what one customer has.
func neighbourhood(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
