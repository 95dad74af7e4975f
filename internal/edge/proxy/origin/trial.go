package origin

import (
	"context"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// trialShy is how long an open trial waits for a request with a safe method
// while other servers could take the others.
const trialShy = time.Second

// wantsTrial reports whether a trial by a request should begin when it is due.
// With active checks the checks are the trials (check.go). While no server is
// eligible there must be somebody to make the trial; while one is, a connection
// is made ahead and kept for the next request.
func (g *group) wantsTrial(s *server, none bool) bool {
	return s.checks.stop == nil && !s.trial.busy && !s.trial.open && (!none || g.acquiring.n > 0)
}

// beginTrials begins the trials that are due. Each starts with a connection, so
// that no request is spent on a server that does not even accept one.
func (g *group) beginTrials(now time.Time) {
	none := !g.anyEligible()
	for _, s := range g.servers {
		if due, _ := s.machine.trialDue(now, none); !due || !g.wantsTrial(s, none) {
			continue
		}
		s.trial.busy = true
		s.machine.trialAt = now
		go g.connectTrial(s, s.machine.gen, s.target.origin.DialTimeout.D())
	}
}

// connectTrial makes the connection with which a trial begins. It ends by
// timeout at the latest, also when nobody is interested any more.
func (g *group) connectTrial(s *server, gen uint64, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), max(timeout, time.Second))
	err := s.transport.Probe(ctx)
	cancel()
	now := g.opts.Clock.Now()
	g.mu.Lock()
	defer g.unlock()
	if gen != s.machine.gen || !s.trial.busy || s.gone {
		return
	}
	s.trial.busy = false
	switch {
	case upstream.LocalFault(err): // nothing was learned: the next trial comes when it is due
		s.failed(now, "trial: "+err.Error())
	case err != nil:
		s.failed(now, "trial: "+err.Error())
		s.machine.trial(now, gen, false, err.Error())
	case !s.machine.eligible():
		s.trial.open, s.trial.openAt = true, now
		g.trials++
	}
	g.settle(now)
}

// closeTrial forgets what is under way: the server's state has moved on.
func (g *group) closeTrial(s *server) {
	if s.trial.open {
		g.trials--
	}
	s.trial.busy, s.trial.open = false, false
}

// offerTrial returns a server whose open trial v may make right now, or nil. A
// visitor who sticks to an eligible server is left there.
func (g *group) offerTrial(v *visit, used []string, now time.Time) *server {
	if g.trials == 0 || v.home != nil && v.home.machine.eligible() {
		return nil
	}
	for _, s := range g.servers {
		if s.trial.open && s.free(now) && !isUsed(used, s) &&
			(v.arrival.Safe || now.Sub(s.trial.openAt) >= trialShy || !g.anyEligible()) {
			return s
		}
	}
	return nil
}

// handTrials gives open trials to those who wait: to the first with a safe
// method that has not failed there yet, else to the first that may.
func (g *group) handTrials(now time.Time) {
	for _, s := range g.servers {
		if g.trials == 0 || g.acquiring.n == 0 {
			return
		}
		if !s.trial.open || !s.free(now) {
			continue
		}
		best, rank := (*visit)(nil), 0
		for v := g.acquiring.head; v != nil && rank < 4; v = v.next {
			r := 1
			if !isUsed(v.used, s) {
				r = 2
			}
			if v.arrival.Safe {
				r += 2
			}
			if r > rank {
				best, rank = v, r
			}
		}
		g.handOver(best, s, true, now)
	}
}

// dead reports whether s died after an attempt that was reported at since (the
// poison guard, guide 3.1(8)): its next connect fails, or its next check does.
func (g *group) dead(ctx context.Context, s *server, since time.Time, within time.Duration) bool {
	ctx, cancel := context.WithDeadline(ctx, since.Add(within))
	defer cancel()
	if err := s.transport.Probe(ctx); err != nil {
		return ctx.Err() == nil && !upstream.LocalFault(err)
	}
	for {
		g.mu.Lock()
		if s.checks.stop == nil || !s.checks.last.Before(since) && !s.checks.ended.Before(s.checks.last) {
			died := s.checks.stop != nil && !s.checks.passed
			g.mu.Unlock()
			return died
		}
		done := s.checks.done
		s.checks.force = true
		s.pokeChecks()
		g.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return false
		}
	}
}
