package origin

import (
	"context"
	"errors"
	"time"
)

// visit is a Visit. The group's lock guards it; arrival, key and cookie are set
// when it is made.
type visit struct {
	g       *group
	arrival Arrival
	key     uint64 // of balance: hash
	keyed   bool   // key is set
	cookie  string // the sticky cookie as sent, "" for none

	seq      uint64 // place in the order of arrival
	arrived  time.Time
	deadline time.Time // of all waiting together
	met      Wait
	waited   bool // met.Position is set

	entered  bool    // holds a slot of the origin
	left     bool    // Leave was called
	home     *server // that the cookie names
	used     []string
	first    lease // the lease of the first attempt; saves an allocation
	reserved *lease
	err      error // why it was put out of the queue

	in         *queue // in which it waits, nil: none
	prev, next *visit
	special    bool // while in a queue: does not take every server
	joined     time.Time
	ready      chan struct{} // gets a token when something was handed over; made on first use
}

var (
	_ Visit = (*visit)(nil)
	_ Lease = (*lease)(nil)
)

// enter makes a visit and gets a slot of the origin for it.
func (g *group) enter(ctx context.Context, a Arrival) (*visit, error) {
	p := g.settings.Load()
	v := &visit{g: g, arrival: a, arrived: a.At}
	if v.arrived.IsZero() {
		v.arrived = g.opts.Clock.Now()
	}
	p.read(v)
	v.deadline = v.arrived.Add(p.cfg.Queue.Timeout.D())
	g.mu.Lock()
	g.seq++
	v.seq = g.seq
	g.visits++
	if v.cookie != "" {
		g.findHome(v)
	}
	if !g.levers.paused && g.entering.n == 0 && g.slotFree() {
		g.inFlight++
		v.entered = true
		g.unlock()
		return v, nil
	}
	if err := g.await(ctx, v, &g.entering); err != nil {
		v.Leave()
		return nil, err
	}
	return v, nil
}

// read takes from the arrival what choosing a server needs.
func (p *plan) read(v *visit) {
	var key string
	switch p.keyFrom {
	case "client":
		key = v.arrival.Client
	case "header":
		if v.arrival.Header != nil {
			key = v.arrival.Header(p.keyName)
		}
	case "cookie":
		if v.arrival.Cookie != nil {
			key = v.arrival.Cookie(p.keyName)
		}
	}
	if key != "" {
		v.key, v.keyed = hash64(key), true
	}
	if s := p.cfg.Sticky; s != nil && v.arrival.Cookie != nil {
		v.cookie = v.arrival.Cookie(s.Cookie)
	}
}

// Acquire implements Visit.
func (v *visit) Acquire(ctx context.Context, used []string, wait bool) (Lease, error) {
	g := v.g
	g.mu.Lock()
	if v.reserved == nil && v.in == nil && v.err == nil {
		if l := g.take(v, used); l != nil {
			g.unlock()
			return l, nil
		}
	}
	if !wait && v.reserved == nil {
		if v.in != nil {
			g.dequeue(v, g.opts.Clock.Now(), leftDeadline)
		}
		g.unlock()
		return nil, ErrQueueDeadline
	}
	if v.in == nil {
		v.used = used
	}
	if err := g.await(ctx, v, &g.acquiring); err != nil {
		return nil, err
	}
	return v.claim(), nil
}

// claim takes what was handed over.
func (v *visit) claim() *lease {
	v.g.mu.Lock()
	defer v.g.mu.Unlock()
	l := v.reserved
	v.reserved = nil
	return l
}

// await waits in q until v got what it waits for: a slot of the origin
// (entering), or a server (acquiring). Called with the lock held, returns with
// it free.
func (g *group) await(ctx context.Context, v *visit, q *queue) error {
	now := g.opts.Clock.Now()
	if v.in == nil && v.err == nil && !v.has(q) {
		g.join(v, q, now)
		if v.in != nil {
			g.settle(now)
		}
		if v.has(q) && v.joined.Equal(now) && !v.waited {
			v.met = Wait{} // served at once
		} else {
			v.waited = true
		}
	}
	for {
		switch {
		case v.err != nil:
			err := v.err
			v.err = nil
			g.unlock()
			return err
		case v.has(q):
			if ctx.Err() == nil {
				g.unlock()
				return nil
			}
			v.giveBack(g.opts.Clock.Now())
			g.unlock()
			return ctx.Err()
		}
		left := v.deadline.Sub(g.opts.Clock.Now())
		switch {
		case ctx.Err() != nil:
			why := leftClient
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				why = leftDeadline
			}
			g.dequeue(v, g.opts.Clock.Now(), why)
			g.unlock()
			return ctx.Err()
		case left <= 0:
			g.dequeue(v, g.opts.Clock.Now(), leftDeadline)
			g.unlock()
			return ErrQueueDeadline
		}
		if v.ready == nil {
			v.ready = make(chan struct{}, 1)
		}
		ready := v.ready
		g.unlock()
		timer := time.NewTimer(left)
		select {
		case <-ready:
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		g.mu.Lock()
	}
}

// has reports whether v has what one waits for in q.
func (v *visit) has(q *queue) bool {
	if q == &v.g.entering {
		return v.entered
	}
	return v.reserved != nil
}

// giveBack frees a server that was handed over too late.
func (v *visit) giveBack(now time.Time) {
	if l := v.reserved; l != nil {
		v.reserved = nil
		l.free(now)
	}
}

// wake tells v that something was handed over, if somebody waits for it.
func (v *visit) wake() {
	if v.ready == nil {
		return
	}
	select {
	case v.ready <- struct{}{}:
	default:
	}
}

// join puts v in q, or puts somebody out when that is one too many: the last to
// arrive, which for a new arrival is v itself.
func (g *group) join(v *visit, q *queue, now time.Time) {
	limits := g.settings.Load().cfg.Queue
	if limits.MaxRequests <= 0 || v.arrival.HeldBytes > int64(limits.MaxBytes) {
		v.err = ErrQueueFull
		g.metrics.left(leftOverflow)
		return
	}
	before := q.insert(v)
	v.joined = now
	g.bytes += v.arrival.HeldBytes
	if !v.waited {
		if q == &g.entering {
			before += g.acquiring.n
		}
		g.rate.sample(now, g.ended)
		v.met.Position, v.met.Estimate = before+1, g.rate.wait(before+1)
	}
	if g.entering.n+g.acquiring.n > limits.MaxRequests {
		last := g.entering.tail
		if last == nil {
			last = g.acquiring.tail
		}
		g.putOut(last, now)
	}
	for g.bytes > int64(limits.MaxBytes) {
		last := holder(g.entering.tail)
		if last == nil {
			last = holder(g.acquiring.tail)
		}
		g.putOut(last, now)
	}
}

// holder returns the last visit up to v that holds bytes.
func holder(v *visit) *visit {
	for v != nil && v.arrival.HeldBytes == 0 {
		v = v.prev
	}
	return v
}

// putOut makes room in the queue.
func (g *group) putOut(v *visit, now time.Time) {
	g.dequeue(v, now, leftOverflow)
	v.err = ErrQueueFull
	v.wake()
}

// dequeue takes v out of the queue in which it waits.
func (g *group) dequeue(v *visit, now time.Time, why left) {
	v.in.remove(v)
	g.bytes -= v.arrival.HeldBytes
	d := now.Sub(v.joined)
	v.met.Queued += d
	g.metrics.left(why)
	g.metrics.waited(d)
}

// Untried implements Visit.
func (v *visit) Untried(used []string) bool {
	v.g.mu.Lock()
	defer v.g.mu.Unlock()
	for _, s := range v.g.servers {
		if s.machine.eligible() && !isUsed(used, s) {
			return true
		}
	}
	return false
}

// Wait implements Visit.
func (v *visit) Wait() Wait {
	v.g.mu.Lock()
	defer v.g.mu.Unlock()
	return v.met
}

// Leave implements Visit.
func (v *visit) Leave() Wait {
	g := v.g
	g.mu.Lock()
	if v.left {
		g.mu.Unlock()
		return v.met
	}
	v.left = true
	if v.in != nil || v.reserved != nil {
		now := g.opts.Clock.Now()
		if v.in != nil {
			g.dequeue(v, now, leftClient)
		}
		v.giveBack(now)
	}
	if v.entered {
		g.inFlight--
		if g.entering.n > 0 {
			now := g.opts.Clock.Now()
			g.dispatch(now)
			g.schedule(now)
		}
	}
	g.visits--
	g.stopIfEmpty()
	met := v.met
	g.unlock()
	return met
}
