package origin

import (
	"slices"
	"time"
)

// isUsed reports whether an attempt was made on s already.
func isUsed(used []string, s *server) bool {
	return len(used) > 0 && slices.Contains(used, s.name)
}

// rank orders eligible servers for a request: untried before tried, and backups
// only when no primary is left in the same class.
func rank(s *server, used []string) int {
	r := 0
	if isUsed(used, s) {
		r = 2
	}
	if s.backup {
		r++
	}
	return r
}

// choose returns the server for v, one with a free slot among the eligible ones
// of the best rank, or nil: no server is eligible, or v must wait for a slot. A
// visitor who sticks to one of the best rank waits for that one.
func (g *group) choose(v *visit, used []string, now time.Time) *server {
	best := 4
	for _, s := range g.servers {
		if s.machine.eligible() {
			best = min(best, rank(s, used))
		}
	}
	if best == 4 {
		return nil
	}
	if h := v.home; h != nil && h.machine.eligible() && rank(h, used) == best {
		if !h.free(now) {
			return nil
		}
		return h
	}
	g.pick = g.pick[:0]
	for _, s := range g.servers {
		if s.machine.eligible() && rank(s, used) == best && s.free(now) {
			s.share = int64(s.weight) * s.machine.factor(now)
			g.pick = append(g.pick, s)
		}
	}
	if len(g.pick) == 0 {
		return nil
	}
	return g.balance.pick(g.pick, v)
}

// take gives v a server at once, or nil: then v must wait.
func (g *group) take(v *visit, used []string) *lease {
	if g.levers.paused || g.acquiring.head != nil && g.acquiring.head.seq < v.seq {
		return nil
	}
	now := v.arrived // the first attempt follows at once
	if v.first.v != nil {
		now = g.opts.Clock.Now()
	}
	if s := g.offerTrial(v, used, now); s != nil {
		return g.lease(v, s, true, now)
	}
	if s := g.choose(v, used, now); s != nil {
		return g.lease(v, s, false, now)
	}
	return nil
}

// lease takes a slot of s for v.
func (g *group) lease(v *visit, s *server, trial bool, now time.Time) *lease {
	l := &v.first
	if l.v != nil {
		l = new(lease)
	}
	*l = lease{v: v, s: s, host: s.host, gen: s.machine.gen, trial: trial}
	if s.cookie != "" && s.tokens[0] != v.cookie { // a token of a former secret is replaced by one of today's
		l.cookie = s.cookie
		if v.arrival.Secure {
			l.cookie = s.secured
		}
	}
	s.inFlight++
	if trial {
		g.closeTrial(s)
		s.trial.busy = true
		s.machine.trialAt = now
	}
	return l
}

// handOver gives a waiting visit its server and wakes it.
func (g *group) handOver(v *visit, s *server, trial bool, now time.Time) {
	g.dequeue(v, now, leftServed)
	v.reserved = g.lease(v, s, trial, now)
	v.wake()
}

// slotFree reports whether the origin has a free slot.
func (g *group) slotFree() bool {
	return g.levers.maxInFlight == 0 || g.inFlight < g.levers.maxInFlight
}

// dispatch hands free slots to those who wait, in the order of their arrival.
// Somebody is passed over only by a server that he would not take: one that
// failed him already while another is left, or not the one he sticks to.
func (g *group) dispatch(now time.Time) {
	if g.levers.paused || g.entering.n+g.acquiring.n == 0 {
		return
	}
	// A slot of the origin is given together with the place in the order for a
	// server, so that nobody is overtaken between Enter and Acquire.
	for v := g.entering.head; v != nil && g.slotFree(); v = g.entering.head {
		g.entering.remove(v)
		g.inFlight++
		v.entered = true
		g.findHome(v)
		g.acquiring.insert(v)
		v.wake()
	}
	g.handTrials(now)
	special, blocked := g.acquiring.special, false
	for v := g.acquiring.head; v != nil && g.anyFree(now); {
		next := v.next
		if v.special {
			special--
		}
		if v.special || !blocked {
			if s := g.choose(v, v.used, now); s != nil {
				g.handOver(v, s, false, now)
			} else if !v.special {
				blocked = true
			}
		}
		if blocked && special == 0 {
			break
		}
		v = next
	}
	g.rate.sample(now, g.ended)
	if g.acquiring.n == 0 {
		for _, s := range g.servers {
			if s.machine.health == Up {
				s.window = 0 // nobody waits and the slow start is over: no bound any more
			}
		}
	}
}

// anyFree reports whether an eligible server has a free slot.
func (g *group) anyFree(now time.Time) bool {
	for _, s := range g.servers {
		if s.machine.eligible() && s.free(now) {
			return true
		}
	}
	return false
}

// findHome notes the server that v's cookie names, if v has one.
func (g *group) findHome(v *visit) {
	v.home = nil
	if v.cookie == "" {
		return
	}
	for _, s := range g.servers {
		if slices.Contains(s.tokens, v.cookie) {
			v.home = s
			return
		}
	}
}
