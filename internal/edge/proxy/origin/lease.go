package origin

import (
	"context"
	"strconv"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// lease is a Lease. The group's lock guards the fields below cookie.
type lease struct {
	v      *visit
	s      *server
	host   string
	cookie string

	gen      uint64 // of the server's machine when the attempt began
	trial    bool   // the attempt decides over the server's return
	good     bool   // was reported as a success
	before   int    // machine.failures when it was
	streak   uint64 // machine.streak after it was
	failedAt time.Time
	done     bool
}

// Server implements Lease.
func (l *lease) Server() string { return l.s.name }

// Transport implements Lease.
func (l *lease) Transport() upstream.Transport { return l.s.transport }

// Host implements Lease.
func (l *lease) Host() string { return l.host }

// SetCookie implements Lease.
func (l *lease) SetCookie() string { return l.cookie }

// Report implements Lease.
func (l *lease) Report(outcome exchange.Outcome, status int) {
	if outcome == exchange.Canceled {
		return // Done ends a trial that was never decided
	}
	g, s := l.v.g, l.s
	ok, cause := outcome == exchange.Success, ""
	if status > 0 && (ok || outcome == exchange.BadStatus) {
		ok = !g.settings.Load().fails(status)
	}
	g.mu.Lock()
	defer g.unlock()
	if ok && !l.trial {
		l.good, l.before = true, s.machine.failures
		s.machine.attempt(time.Time{}, l.gen, true, "", peers{})
		l.streak = s.machine.streak
		if s.window > 0 && l.gen == s.machine.gen {
			s.window++
			g.refill()
		}
		return
	}
	now := g.opts.Clock.Now()
	if !ok {
		cause = outcome.String()
		if status > 0 && (outcome == exchange.Success || outcome == exchange.BadStatus) {
			cause = "status " + strconv.Itoa(status)
		}
		l.failedAt = now
		s.failed(now, cause)
	}
	decided := l.trial
	switch {
	case l.trial:
		l.trial = false
		if l.gen == s.machine.gen {
			s.trial.busy = false
			s.machine.trial(now, l.gen, ok, cause)
			if ok {
				l.gen = s.machine.gen // its body may still be cut short
			}
		}
	case l.good:
		s.machine.retract(now, l.gen, l.before, l.streak, cause, g.peersOf(s))
	default:
		s.machine.attempt(now, l.gen, false, cause, g.peersOf(s))
	}
	if decided || len(g.changes) > 0 || g.acquiring.n > 0 {
		g.settle(now)
	}
}

// Dead implements Lease.
func (l *lease) Dead(ctx context.Context, within time.Duration) bool {
	l.v.g.mu.Lock()
	since := l.failedAt
	l.v.g.mu.Unlock()
	if since.IsZero() {
		since = l.v.g.opts.Clock.Now()
	}
	return l.v.g.dead(ctx, l.s, since, within)
}

// Done implements Lease.
func (l *lease) Done() {
	g := l.v.g
	g.mu.Lock()
	defer g.unlock()
	if l.done {
		return
	}
	if l.trial || g.acquiring.n > 0 {
		l.free(g.opts.Clock.Now())
		return
	}
	l.free(time.Time{})
}

// free gives the slot back and hands it on. now may be zero when the lease is no
// undecided trial and nobody waits.
func (l *lease) free(now time.Time) {
	g, s := l.v.g, l.s
	l.done = true
	s.inFlight--
	g.ended++
	if l.trial && l.gen == s.machine.gen {
		s.trial.busy = false // never decided: the next trial may begin
	}
	g.drop(s)
	if g.acquiring.n > 0 {
		g.dispatch(now)
	}
	if !now.IsZero() {
		g.schedule(now)
	}
}

// refill hands out slots that a success has opened.
func (g *group) refill() {
	if g.acquiring.n > 0 {
		g.dispatch(g.opts.Clock.Now())
	}
}
