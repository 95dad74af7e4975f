package origin

import (
	"fmt"
	"time"
)

// levers are what operators turn while an origin runs. Each plan has its own, and
// each target its order and weight: what the configuration says, until somebody
// turns them. The group's lock guards them.
type levers struct {
	paused      bool
	maxInFlight int // of the origin, 0: unlimited
}

// order is what an operator wants of a server.
type order struct {
	state State  // Draining or Maint; Unknown: in use, as its health allows
	why   string // for the log and status
}

// orderOf is the order in a word of the configuration; ok is false for a word
// that it does not know.
func orderOf(word string) (state State, ok bool) {
	switch word {
	case "up":
		return Unknown, true
	case "drain":
		return Draining, true
	case "maint":
		return Maint, true
	}
	return Unknown, false
}

// SetPaused closes or opens the gate: while it is closed, arrivals wait in the
// queue, and so do requests whose server failed.
func (o *Origin) SetPaused(paused bool) { o.turn(func() { o.plan.levers.paused = paused }) }

// SetMaxInFlight sets the bound on requests under way in the whole origin; 0 is
// unlimited. What is over a lowered bound finishes.
func (o *Origin) SetMaxInFlight(n int) { o.turn(func() { o.plan.levers.maxInFlight = max(n, 0) }) }

// SetServerState takes a server out of use ("drain": it finishes what it has;
// "maint": the same, and it is not checked) or gives it back ("up": it comes back
// as its health says, slowly). server is the configured one, without scheme:
// "10.0.0.11:8080", "unix:/run/app.sock", or "app.example:8080" for all that the
// name resolves to, now and later. reason is for the log and status. Errors:
// ErrNoServer, or one that says which states there are.
func (o *Origin) SetServerState(server, state, reason string) error {
	s, ok := orderOf(state)
	if !ok {
		return fmt.Errorf("set state of server %s: %q is none of up, drain, maint", server, state)
	}
	return o.turnServer(server, func(t *target) { t.order = order{state: s, why: reason} })
}

// SetServerWeight sets a server's share beside the others, 1 or more; server is
// as SetServerState has it. Error: ErrNoServer.
func (o *Origin) SetServerWeight(server string, weight int) error {
	return o.turnServer(server, func(t *target) { t.weight = max(weight, 1) })
}

// turn changes the levers of o. If o is in force it does so at once: who waits and
// may go on now is woken before turn returns. If o is still to come, it begins
// with what was turned; if its time is over, nobody notices.
func (o *Origin) turn(change func()) {
	g := o.group
	now := g.opts.Clock.Now()
	g.mu.Lock()
	defer g.unlock()
	change()
	if g.settings.Load() != o.plan {
		return
	}
	g.levers = o.plan.levers
	for _, s := range g.servers {
		s.obey(now)
	}
	if g.cancel != nil || g.visits > 0 {
		g.settle(now)
	}
}

// turnServer changes the levers of the configured server of that name.
func (o *Origin) turnServer(server string, change func(*target)) error {
	known := false
	for _, t := range o.plan.targets {
		if t.name == server {
			known = true
			o.turn(func() { change(t) })
		}
	}
	if !known {
		return fmt.Errorf("server %s: %w", server, ErrNoServer)
	}
	return nil
}

// obey brings s where its target's levers stand.
func (s *server) obey(now time.Time) {
	s.weight = s.target.weight
	s.machine.hold(now, s.target.order.state, s.target.order.why)
	s.machine.unchecked(now)
}
