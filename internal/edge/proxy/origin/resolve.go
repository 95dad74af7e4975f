package origin

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	resolveTimeout = 5 * time.Second // for one look-up
	resolveRetry   = time.Second     // longest time between look-ups of a name that never resolved
)

// hostName is a name that stands for servers. The group's lock guards it.
type hostName struct {
	host  string
	addrs []netip.Addr // sorted, the last that were found
	err   error        // of the last look-up
	stop  context.CancelFunc
}

// resolveAll looks up the names of p from now on, and no others.
func (g *group) resolveAll(p *plan) {
	hosts := p.hosts()
	for host, n := range g.names {
		if !slices.Contains(hosts, host) {
			if n.stop != nil {
				n.stop()
			}
			delete(g.names, host)
		}
	}
	for _, host := range hosts {
		n := g.names[host]
		if n == nil {
			n = &hostName{host: host}
			g.names[host] = n
		}
		if n.stop == nil {
			var ctx context.Context
			ctx, n.stop = context.WithCancel(g.ctx)
			go g.resolve(ctx, n)
		}
	}
}

// resolved are the addresses known for a target.
func (g *group) resolved(t *target) []netip.Addr {
	if n := g.names[t.host]; n != nil {
		return n.addrs
	}
	return nil
}

// resolve looks n up until ctx is done.
func (g *group) resolve(ctx context.Context, n *hostName) {
	for {
		lookup, cancel := context.WithTimeout(ctx, resolveTimeout)
		addrs, err := g.opts.Resolver.LookupNetIP(lookup, "ip", n.host)
		cancel()
		if ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(g.found(n, addrs, err))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// found takes in the result of a look-up and returns the time to the next one. A
// failed look-up, or one without an address, keeps what was known.
func (g *group) found(n *hostName, addrs []netip.Addr, err error) time.Duration {
	now := g.opts.Clock.Now()
	g.mu.Lock()
	defer g.unlock()
	if g.cancel == nil {
		return 0
	}
	next := g.settings.Load().cfg.ResolveInterval.D()
	if err == nil && len(addrs) == 0 {
		err = fmt.Errorf("no address for %s", n.host)
	}
	if err != nil {
		if n.err == nil {
			known := len(n.addrs)
			g.after = append(g.after, func() {
				g.log.Warn("host name not resolved", "host", n.host, "error", err, "addresses_kept", known)
			})
		}
		n.err = err
		if len(n.addrs) == 0 {
			next = min(next, resolveRetry)
		}
		return next
	}
	if n.err != nil {
		g.after = append(g.after, func() { g.log.Info("host name resolved again", "host", n.host) })
	}
	n.err = nil
	addrs = slices.Clone(addrs)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	if slices.Equal(addrs, n.addrs) {
		return next
	}
	n.addrs = addrs
	g.after = append(g.after, func() { g.log.Info("addresses changed", "host", n.host, "addresses", addrs) })
	g.rebuild(now)
	g.startChecks(false)
	g.settle(now)
	return next
}
