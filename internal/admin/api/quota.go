package api

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// quota limits how often each of many may do something. Safe for concurrent use.
// It remembers the maxRemembered who came last. Whoever has more addresses than that
// gets more tries; what keeps a guess from being right is the length of a token.
type quota struct {
	every rate.Limit
	burst int

	mu    sync.Mutex // guards the fields below
	each  map[string]*list.Element
	order *list.List // of *account, who came last is first
}

type account struct {
	who     string
	limiter *rate.Limiter
}

// maxRemembered bounds a quota's memory to about a megabyte.
const maxRemembered = 4096

func newQuota(every rate.Limit, burst int) *quota {
	return &quota{every: every, burst: burst, each: map[string]*list.Element{}, order: list.New()}
}

// take counts one by who. When it is one too many, it is not counted, and wait is
// how long it takes until the next one may come. It costs the same however many are
// remembered: a flood from everywhere must not hold up the others at the lock.
func (q *quota) take(who string, now time.Time) (wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.each[who]
	if e == nil {
		if len(q.each) >= maxRemembered {
			oldest := q.order.Remove(q.order.Back()).(*account) // nothing else is in it
			delete(q.each, oldest.who)
		}
		e = q.order.PushFront(&account{who: who, limiter: rate.NewLimiter(q.every, q.burst)})
		q.each[who] = e
	}
	q.order.MoveToFront(e)
	r := e.Value.(*account).limiter.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
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
