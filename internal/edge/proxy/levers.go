package proxy

import (
	"errors"
	"fmt"
)

// ErrNoOrigin is returned for the name of an origin that the configuration does
// not have.
var ErrNoOrigin = errors.New("no such origin")

// The setters below turn the levers of one origin while requests are served. On
// the Proxy in force they act before they return, on requests under way too; on
// one that was not started they say with what it begins; on one that was retired
// they do nothing. Whoever turns a lever while a reload is under way must turn it
// on the Proxy in force and, before its Start, on the next one. Bounds of numbers
// are the caller's to check. Errors wrap ErrNoOrigin, or origin.ErrNoServer.

// SetPaused closes or opens the gate before an origin: while it is closed,
// requests wait in the queue, and those that retry with them.
func (p *Proxy) SetPaused(origin string, paused bool) error {
	return p.turn(origin, func(o *namedOrigin) error {
		o.servers.SetPaused(paused)
		return nil
	})
}

// SetMaxInFlight bounds the requests under way in an origin; 0 is unlimited.
// What is over a lowered bound finishes.
func (p *Proxy) SetMaxInFlight(origin string, n int) error {
	return p.turn(origin, func(o *namedOrigin) error {
		o.servers.SetMaxInFlight(n)
		return nil
	})
}

// SetRetryAttempts bounds the attempts of a request to an origin, the first
// included: 1 or more. Routes with a number of their own keep it. A request under
// way counts what it has made already.
func (p *Proxy) SetRetryAttempts(origin string, n int) error {
	return p.turn(origin, func(o *namedOrigin) error {
		o.attempts.Store(int32(max(n, 1)))
		return nil
	})
}

// SetRetryBudgetPercent bounds the retries under way in an origin, in percent of
// the requests under way.
func (p *Proxy) SetRetryBudgetPercent(origin string, percent int) error {
	return p.turn(origin, func(o *namedOrigin) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		o.allowance.Percent = percent
		if p.inForce {
			o.budget.configure(o.allowance)
		}
		return nil
	})
}

// useBudgets puts the budgets of p in force, or leaves them to a later Proxy.
func (p *Proxy) useBudgets(inForce bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inForce = inForce
	if !inForce {
		return
	}
	for _, o := range p.origins {
		o.budget.configure(o.allowance)
	}
}

// SetServerState takes a server out of use ("drain", "maint") or gives it back
// ("up"), as origin.Origin.SetServerState says.
func (p *Proxy) SetServerState(origin, server, state, reason string) error {
	return p.turn(origin, func(o *namedOrigin) error { return o.servers.SetServerState(server, state, reason) })
}

// SetServerWeight sets a server's share of the traffic beside the others, 1 or
// more; server is as for SetServerState.
func (p *Proxy) SetServerWeight(origin, server string, weight int) error {
	return p.turn(origin, func(o *namedOrigin) error { return o.servers.SetServerWeight(server, weight) })
}

// turn has change turn a lever of an origin.
func (p *Proxy) turn(origin string, change func(*namedOrigin) error) error {
	o := p.origins[origin]
	if o == nil {
		return fmt.Errorf("origin %s: %w", origin, ErrNoOrigin)
	}
	if err := change(o); err != nil {
		return fmt.Errorf("origin %s: %w", origin, err)
	}
	return nil
}
