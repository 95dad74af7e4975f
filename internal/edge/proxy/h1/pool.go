package h1

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errNoSlot says that max_open connections were in use for the whole time.
var errNoSlot = errors.New("all connections are in use")

// pool keeps the idle connections to one server, the one used last on top, so
// that a quiet server is left with few of them. Safe for concurrent use.
type pool struct {
	maxOpen     int
	maxIdle     int
	idleTimeout time.Duration
	maxAge      time.Duration
	probeAfter  time.Duration

	mu      sync.Mutex // guards the fields below
	idle    []*conn    // in the order in which they became idle
	open    int        // connections made or being made, and not closed
	waiting []*waiter  // first come, first served; only with maxOpen
	reaper  *time.Timer
	armed   bool      // reaper runs
	doubt   time.Time // connections idle since before are tested before use
	closed  bool
}

// waiter gets a connection, or nil as leave to make one. Its channel holds one.
type waiter struct{ grant chan *conn }

func (p *pool) init(o Options) {
	p.maxOpen, p.maxIdle = o.MaxOpen, o.MaxIdle
	p.idleTimeout, p.maxAge, p.probeAfter = o.IdleTimeout, o.MaxAge, o.ProbeAfter
}

// get returns an idle connection, or nil when the caller shall make one (and
// call forget if it cannot). With max_open connections in use it waits until
// one is free, ctx is done or limit (if not zero) is over: errNoSlot.
func (p *pool) get(ctx context.Context, limit time.Time) (*conn, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	if p.maxOpen <= 0 || p.open < p.maxOpen {
		p.open++
		p.mu.Unlock()
		return nil, nil
	}
	w := &waiter{grant: make(chan *conn, 1)}
	p.waiting = append(p.waiting, w)
	p.mu.Unlock()

	var over <-chan time.Time
	if !limit.IsZero() {
		timer := time.NewTimer(time.Until(limit))
		defer timer.Stop()
		over = timer.C
	}
	var err error
	select {
	case c := <-w.grant:
		return c, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-over:
		err = errNoSlot
	}
	if !p.leave(w) { // granted in the same moment: pass it on
		if c := <-w.grant; c != nil {
			p.put(c)
		} else {
			p.forget()
		}
	}
	return nil, err
}

// leave takes w out of the line; false if it has been granted already.
func (p *pool) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, o := range p.waiting {
		if o == w {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// next takes the first waiter out of the line, nil if there is none.
func (p *pool) next() *waiter {
	if len(p.waiting) == 0 {
		return nil
	}
	w := p.waiting[0]
	p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	return w
}

// usable reports whether an idle connection may carry a request: it is not too
// old, and alive if there is reason to ask.
func (p *pool) usable(c *conn, now time.Time, fresh bool) bool {
	if p.maxAge > 0 && now.Sub(c.born) >= p.maxAge {
		return false
	}
	if !fresh && now.Sub(c.idleSince) < p.probeAfter {
		p.mu.Lock()
		sure := c.idleSince.After(p.doubt)
		p.mu.Unlock()
		if sure {
			return true
		}
	}
	return c.alive()
}

// suspect says that a reused connection was found dead at now: the others may
// have died with it, so they are tested before use.
func (p *pool) suspect(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubt = now
}

// put takes c, which is open and clean, back.
func (p *pool) put(c *conn) {
	now := time.Now()
	p.mu.Lock()
	old := p.maxAge > 0 && now.Sub(c.born) >= p.maxAge
	if !old && !p.closed {
		if w := p.next(); w != nil {
			c.idleSince = now
			p.mu.Unlock()
			w.grant <- c
			return
		}
		if len(p.idle) < p.maxIdle {
			c.idleSince = now
			p.idle = append(p.idle, c)
			if !p.armed {
				p.arm(p.idleTimeout)
			}
			p.mu.Unlock()
			return
		}
	}
	p.mu.Unlock()
	c.part()
	p.forget()
}

// reserve counts a connection that is made beside the requests.
func (p *pool) reserve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
}

// forget uncounts a connection that is closed or was not made; the first who
// waits may make another.
func (p *pool) forget() {
	p.mu.Lock()
	p.open--
	var w *waiter
	if p.open < p.maxOpen {
		if w = p.next(); w != nil {
			p.open++
		}
	}
	p.mu.Unlock()
	if w != nil {
		w.grant <- nil
	}
}

// arm starts the one timer of the pool. Callers hold mu.
func (p *pool) arm(d time.Duration) {
	if p.idleTimeout <= 0 {
		return
	}
	p.armed = true
	if p.reaper == nil {
		p.reaper = time.AfterFunc(d, p.reap)
		return
	}
	p.reaper.Reset(d)
}

// reap closes the connections that were idle for too long.
func (p *pool) reap() {
	now := time.Now()
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].idleSince) >= p.idleTimeout {
		n++
	}
	over := append([]*conn(nil), p.idle[:n]...)
	kept := copy(p.idle, p.idle[n:])
	clear(p.idle[kept:])
	p.idle = p.idle[:kept]
	p.armed = false
	if kept > 0 && !p.closed {
		p.arm(max(p.idleTimeout-now.Sub(p.idle[0].idleSince), time.Millisecond))
	}
	p.mu.Unlock()
	for _, c := range over {
		c.part()
		p.forget()
	}
}

func (p *pool) size() (open, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open, len(p.idle)
}

// close closes what is idle and takes nothing back from now on. Those who wait
// are let go to find out.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.part()
		p.forget()
	}
}
