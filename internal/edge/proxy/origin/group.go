package origin

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// group is what outlives a reload: the servers, the slots, the queue. One lock
// guards it all; nothing is done under it that waits, calls out or logs.
type group struct {
	name    string
	opts    Options
	log     *slog.Logger
	metrics *groupMetrics

	settings atomic.Pointer[plan] // the configuration in force; never nil

	mu      sync.Mutex // guards the fields below and the servers
	servers []*server  // in the order of the configuration
	leaving []*server  // gone, but with requests under way
	names   map[string]*hostName
	balance balancer
	rand    *rand.Rand
	pick    []*server // scratch of choose

	levers    levers   // of the plan in force
	secrets   [][]byte // of sticky cookies, the newest first; at least one
	inFlight  int      // visits that hold a slot of the origin
	visits    int      // all visits, those that wait for a slot included
	seq       uint64
	entering  queue // wait for a slot of the origin
	acquiring queue // hold one and wait for a server
	bytes     int64 // held by both
	ended     uint64
	rate      rate
	trials    int // servers with an open trial

	timer   *time.Timer // runs tick
	wakeAt  time.Time   // for which timer is set; zero: not set
	ctx     context.Context
	cancel  context.CancelFunc // ends checks and look-ups; nil: not running
	started bool
	retired bool

	changes []Change // to be told when the lock is free
	after   []func() // to be done when the lock is free
}

func newGroup(name string, p *plan, o Options) *group {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &group{
		name: name, opts: o, log: o.Logger.With("origin", name), metrics: newGroupMetrics(o.Metrics, name),
		names: make(map[string]*hostName),
		rand:  rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
	}
	g.secrets = p.secrets
	if len(g.secrets) == 0 {
		drawn := make([]byte, 32)
		_, _ = crand.Read(drawn) // never fails (crypto/rand, Go 1.24)
		g.secrets = [][]byte{drawn}
	}
	g.settings.Store(p)
	g.balance = newBalancer(p.cfg.Balance.Policy, g.rand)
	g.levers = p.levers
	return g
}

// unlock frees the lock, then does what had to wait for that.
func (g *group) unlock() {
	changes, after := g.changes, g.after
	g.changes, g.after = nil, nil
	g.mu.Unlock()
	for _, c := range changes {
		g.tell(c)
	}
	for _, f := range after {
		f()
	}
}

// tell logs a change and passes it on.
func (g *group) tell(c Change) {
	level := slog.LevelInfo
	if c.To == Ejected || c.To == Suspect {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, "server state changed",
		"server", c.Server, "from", c.From.String(), "to", c.To.String(), "reason", c.Reason)
	if c.Ejection != "" {
		g.metrics.ejected(c.Server, c.Ejection)
	}
	if g.opts.OnChange != nil {
		g.opts.OnChange(c)
	}
}

// adopt puts p in force.
func (g *group) adopt(p *plan) {
	now := g.opts.Clock.Now()
	g.mu.Lock()
	defer g.unlock()
	before := g.settings.Swap(p)
	if before.cfg.Balance.Policy != p.cfg.Balance.Policy {
		g.balance = newBalancer(p.cfg.Balance.Policy, g.rand)
	}
	g.levers = p.levers
	g.resign(p.secrets)
	g.started, g.retired = true, false
	if g.cancel == nil {
		g.ctx, g.cancel = context.WithCancel(context.Background())
		g.metrics.begin(g)
	}
	g.resolveAll(p)
	g.rebuild(now)
	g.startChecks(before.cfg.Host != p.cfg.Host || !sameChecks(before.cfg.Health.Active, p.cfg.Health.Active))
	g.settle(now)
	g.after = append(g.after, p.leftovers()...)
}

// rebuild makes the list of servers from the configuration in force and the
// addresses known now.
func (g *group) rebuild(now time.Time) {
	p := g.settings.Load()
	known := make(map[string]*server)
	for _, s := range slices.Concat(g.leaving, g.servers) {
		if !s.shut {
			known[s.identity] = s
		}
	}
	taken := make(map[string]bool)
	var list []*server
	for _, t := range p.targets {
		for _, at := range t.places(g.resolved(t)) {
			for n := 2; taken[at.name]; n++ { // the same url twice: two servers
				at.name = fmt.Sprintf("%s#%d", at.name, n)
			}
			id := t.identity(at)
			s := known[id]
			if s == nil {
				if s = g.newServer(t, at, id, now); s == nil {
					continue
				}
			}
			delete(known, id)
			taken[at.name] = true
			g.keep(s, t, now)
			list = append(list, s)
		}
	}
	for _, s := range slices.Concat(g.leaving, g.servers) {
		if known[s.identity] == s || s.shut {
			g.dismiss(s, now)
		}
	}
	g.servers = list
	g.leaving = slices.DeleteFunc(g.leaving, func(s *server) bool { return !s.gone })
	g.pick = make([]*server, 0, len(list))
	for v := g.acquiring.head; v != nil; v = v.next {
		g.findHome(v)
	}
}

// newServer makes a server, or logs why it cannot.
func (g *group) newServer(t *target, at place, id string, now time.Time) *server {
	p := g.settings.Load()
	s := &server{name: at.name, address: at.address, identity: id, hash: hash64(at.name)}
	if s.transport = p.take(id); s.transport == nil {
		var err error
		if s.transport, err = g.opts.NewTransport(t.spec(at.address)); err != nil {
			g.after = append(g.after, func() { g.log.Error("server left out", "server", at.name, "error", err) })
			return nil
		}
	}
	s.tokens = stickyTokens(g.secrets, g.name, at.name)
	s.checks.poke, s.checks.done = make(chan struct{}, 1), make(chan struct{})
	s.window = firstWindow
	s.machine = machine{rules: &p.rules, notify: func(from, to State, reason, ejection string, at time.Time) {
		g.changed(s, Change{Origin: g.name, Server: s.name, From: from, To: to, Reason: reason, Ejection: ejection, At: at})
	}}
	s.machine.start(now)
	return s
}

// keep gives s, new or not, the settings of t.
func (g *group) keep(s *server, t *target, now time.Time) {
	p := g.settings.Load()
	s.configure(t, cmp.Or(t.cfg.MaxInFlight, p.cfg.MaxInFlight.Server), p.cfg.Sticky)
	s.machine.rules = &p.rules
	if s.gone {
		s.gone = false
		if t.order.state == Unknown {
			s.machine.hold(now, Unknown, "back again")
		}
	}
	s.obey(now)
}

// dismiss lets s finish what it has; it goes when that is done.
func (g *group) dismiss(s *server, now time.Time) {
	if !s.gone {
		s.gone = true
		g.closeTrial(s)
		s.machine.hold(now, Draining, "not configured or not resolved any more")
		g.leaving = append(g.leaving, s)
	}
	g.drop(s)
}

// drop ends a gone server when its last request has left.
func (g *group) drop(s *server) {
	if !s.gone || s.inFlight > 0 {
		return
	}
	g.leaving = slices.DeleteFunc(g.leaving, func(l *server) bool { return l == s })
	s.gone = false // dropped: nothing may drop it again
	g.shut(s)
	g.after = append(g.after, func() { g.forget(s.name) })
}

// shut ends the checks and idle connections of s.
func (g *group) shut(s *server) {
	s.stopChecks()
	if !s.shut {
		s.shut = true
		g.after = append(g.after, s.transport.Close)
	}
}

// forget removes the metrics of a server that is no more.
func (g *group) forget(name string) {
	g.mu.Lock()
	again := slices.ContainsFunc(slices.Concat(g.servers, g.leaving), func(s *server) bool { return s.name == name })
	g.mu.Unlock()
	if !again {
		g.metrics.forget(name)
	}
}

// retire ends the group if p is still the configuration in force.
func (g *group) retire(p *plan) {
	g.mu.Lock()
	defer g.unlock()
	if !g.started || g.settings.Load() != p {
		g.after = append(g.after, p.leftovers()...)
		return
	}
	g.retired = true
	g.stopIfEmpty()
}

// stopIfEmpty ends a retired group when its last visit has left. The servers
// stay as they are, for a visit that comes late.
func (g *group) stopIfEmpty() {
	if !g.retired || g.visits > 0 || g.cancel == nil {
		return
	}
	g.cancel()
	g.cancel = nil
	for _, n := range g.names {
		n.stop = nil
	}
	for _, s := range g.servers {
		g.shut(s)
	}
	if g.timer != nil {
		g.timer.Stop()
		g.wakeAt = time.Time{}
	}
	g.metrics.end(g)
}

// changed is told by a machine of each step.
func (g *group) changed(s *server, c Change) {
	g.changes = append(g.changes, c)
	if c.To != Trial { // a trial begun early, while no server was eligible, goes on
		g.closeTrial(s)
	}
	switch {
	case c.To == Unknown:
		s.checks.n = 0
	case c.To == Up && g.acquiring.n == 0:
		s.window = 0
	case c.To.Eligible() && !c.From.Eligible():
		s.window = firstWindow
	}
	for _, o := range g.servers {
		if o.trial.open && o.machine.health == Ejected && c.To.Eligible() {
			g.closeTrial(o) // its time has not come, and nobody is in need any more
		}
		o.pokeChecks() // when the next one is due may depend on any of them
	}
}

// peersOf is what the machine of s must know of the others.
func (g *group) peersOf(s *server) peers {
	var p peers
	for _, o := range g.servers {
		if o == s {
			continue
		}
		p.eligible = p.eligible || o.machine.eligible()
		p.wasUp = p.wasUp || o.machine.wasUp
	}
	return p
}

// anyEligible reports whether a server is eligible, free or not.
func (g *group) anyEligible() bool {
	for _, s := range g.servers {
		if s.machine.eligible() {
			return true
		}
	}
	return false
}

// settle does everything that follows from a change: what time did, trials,
// hand-overs, and the timer for the next time.
func (g *group) settle(now time.Time) {
	for _, s := range g.servers {
		s.machine.advance(now)
	}
	g.beginTrials(now)
	g.dispatch(now)
	g.schedule(now)
}

// tick is the timer's function.
func (g *group) tick() {
	now := g.opts.Clock.Now()
	g.mu.Lock()
	defer g.unlock()
	g.wakeAt = time.Time{}
	if g.cancel != nil || g.visits > 0 {
		g.settle(now)
	}
}

// schedule sets the timer to the next moment at which time alone changes something.
func (g *group) schedule(now time.Time) {
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	none := !g.anyEligible()
	waiting := g.acquiring.n > 0
	for _, s := range g.servers {
		sooner(s.machine.next())
		if waiting && s.full > 0 {
			sooner(s.machine.grows(now, s.full))
		}
		if _, t := s.machine.trialDue(now, none); g.wantsTrial(s, none) {
			sooner(t)
		}
	}
	if at.Equal(g.wakeAt) {
		return
	}
	g.wakeAt = at
	switch {
	case at.IsZero():
		g.timer.Stop()
	case g.timer == nil:
		g.timer = time.AfterFunc(at.Sub(now), g.tick)
	default:
		g.timer.Reset(at.Sub(now))
	}
}

// sameChecks reports whether two settings of active checks are the same.
func sameChecks(a, b *config.ActiveHealth) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Path == b.Path && a.Port == b.Port && a.Host == b.Host && a.Interval == b.Interval &&
		a.Timeout == b.Timeout && a.Rise == b.Rise && a.Fall == b.Fall && slices.Equal(a.Statuses, b.Statuses)
}
