package origin

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

const (
	firstChecks   = 100 * time.Millisecond // between the first checks of a server
	needyChecks   = time.Second            // longest time between checks while no server is eligible
	checkJitter   = 0.2                    // part by which the time between checks varies, either way
	checkBodySize = 64 << 10               // bytes of a check's answer that are read
)

// checkHeader is what a check sends. Nobody writes to it.
var checkHeader = http.Header{"User-Agent": {"Evergate-Health"}, "Accept": {"*/*"}}

// startChecks starts the checks of servers that should have some and have none;
// with again also those of all others anew, because the settings changed.
func (g *group) startChecks(again bool) {
	active := g.settings.Load().cfg.Health.Active
	for _, s := range g.servers {
		if again {
			s.stopChecks()
		}
		if active == nil || s.checks.stop != nil || g.cancel == nil {
			continue
		}
		c := checker{g: g, s: s, cfg: active, transport: s.transport}
		// Where connections are counted, checks have their own: a busy server would
		// else keep its checks waiting and be taken for a dead one.
		if active.Port != 0 || s.target.origin.Pool.MaxOpen > 0 {
			t, err := g.opts.NewTransport(s.target.checkSpec(s.address, active.Port))
			if err != nil {
				g.after = append(g.after, func() { g.log.Error("server is not checked", "server", s.name, "error", err) })
				continue
			}
			c.transport, s.checks.transport = t, t
		}
		host := active.Host
		if host == "" {
			host = s.host
		}
		if host == "" {
			host = s.target.own
		}
		c.request = upstream.Request{
			Method: http.MethodGet, Target: active.Path, Host: host, Header: checkHeader,
			Fresh: true, // an idle-close race would say nothing about the server
		}
		var ctx context.Context
		ctx, s.checks.stop = context.WithCancel(g.ctx)
		go c.run(ctx)
	}
}

// stopChecks ends the server's checks.
func (s *server) stopChecks() {
	if s.checks.stop != nil {
		s.checks.stop()
		s.checks.stop = nil
	}
	if t := s.checks.transport; t != nil {
		s.checks.transport = nil
		t.Close()
	}
}

// pokeChecks makes the checker look again when its next check is due.
func (s *server) pokeChecks() {
	select {
	case s.checks.poke <- struct{}{}:
	default:
	}
}

// checker makes the active checks of one server.
type checker struct {
	g         *group
	s         *server
	cfg       *config.ActiveHealth
	transport upstream.Transport
	request   upstream.Request
}

// run makes checks until ctx is done.
func (c *checker) run(ctx context.Context) {
	jitter := 1.0
	for {
		wait, gen, due := c.begin(jitter)
		if due {
			err := c.check(ctx)
			if ctx.Err() != nil {
				return
			}
			c.end(gen, err)
			jitter = 1 - checkJitter + 2*checkJitter*rand.Float64()
			continue
		}
		var timer *time.Timer
		var fired <-chan time.Time // nil: only a poke helps
		if wait > 0 {
			timer = time.NewTimer(wait)
			fired = timer.C
		}
		select {
		case <-ctx.Done():
		case <-fired:
		case <-c.s.checks.poke:
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// begin reports whether a check is due, and then counts it as begun; else how
// long until one is (0: none is to come).
func (c *checker) begin(jitter float64) (wait time.Duration, gen uint64, due bool) {
	now := c.g.opts.Clock.Now()
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	s := c.s
	pause, ever := c.pause(jitter)
	if !ever && !s.checks.force {
		return 0, 0, false
	}
	if wait = s.checks.last.Add(pause).Sub(now); wait > 0 && !s.checks.force {
		return wait, 0, false
	}
	s.checks.force = false
	s.checks.last = now
	s.checks.n++
	return 0, s.machine.gen, true
}

// pause is the time from one check to the next, as the state asks for it; ever
// is false when there is to be none.
func (c *checker) pause(jitter float64) (pause time.Duration, ever bool) {
	interval := time.Duration(float64(c.cfg.Interval) * jitter)
	m := &c.s.machine
	switch {
	case m.order == Maint:
		return 0, false
	case m.health == Unknown && (c.s.checks.n < max(c.cfg.Rise, c.cfg.Fall) || m.passes > 0):
		return min(firstChecks, interval), true
	case m.health == Trial && c.s.checks.last.Before(m.since):
		return 0, true
	case !m.health.Eligible() && !c.g.anyEligible():
		return min(needyChecks, interval), true
	}
	return interval, true
}

// end counts the result of a check that began in generation gen.
func (c *checker) end(gen uint64, err error) {
	g, s := c.g, c.s
	now := g.opts.Clock.Now()
	g.mu.Lock()
	defer g.unlock()
	cause := ""
	if err != nil {
		cause = err.Error()
		s.failed(now, "check: "+cause)
	}
	s.checks.passed, s.checks.ended = err == nil || upstream.LocalFault(err), now
	close(s.checks.done)
	s.checks.done = make(chan struct{})
	if upstream.LocalFault(err) {
		return // nothing was learned about the server
	}
	s.machine.check(now, gen, err == nil, cause, g.peersOf(s))
	if m := &s.machine; m.health == Unknown && m.fails == m.rules.fall {
		// It stays unknown, so no change will say why it gets no traffic: a wrong
		// path in health.active is the first mistake that people make.
		g.after = append(g.after, func() {
			g.log.Warn("server has not passed its checks and gets no traffic", "server", s.name, "path", c.cfg.Path, "error", cause)
		})
	}
	if len(g.changes) > 0 {
		g.settle(now)
	}
}

// check asks once. nil says that the server passed.
func (c *checker) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout.D())
	defer cancel()
	request := c.request
	resp, err := c.transport.RoundTrip(ctx, &request)
	if err != nil {
		return err
	}
	defer resp.Close()
	if !c.passes(resp.Status) {
		return fmt.Errorf("status %d", resp.Status)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, checkBodySize)); err != nil {
		return err
	}
	return nil
}

func (c *checker) passes(status int) bool {
	if len(c.cfg.Statuses) == 0 {
		return status >= 200 && status <= 399
	}
	return slices.Contains(c.cfg.Statuses, status)
}
