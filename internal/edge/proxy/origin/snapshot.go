package origin

import (
	"cmp"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// Snapshot is an origin at one moment, for status, explain and metrics.
type Snapshot struct {
	Name        string
	Paused      bool
	InFlight    int // requests that hold a slot of the origin
	MaxInFlight int // 0: unlimited
	Queue       QueueSnapshot
	Servers     []ServerSnapshot // in the order of the configuration, then those that leave
	Unresolved  []Unresolved     // by name
}

// QueueSnapshot is who waits.
type QueueSnapshot struct {
	Depth int
	Bytes int64 // of bodies held by those who wait
	// Oldest is how long the first in the order of arrival has waited; 0: nobody waits.
	Oldest time.Duration
	// PerSecond is how many attempts ended per second lately; 0: not known, because nobody waited.
	PerSecond float64
}

// ServerSnapshot is one server.
type ServerSnapshot struct {
	Name        string
	Configured  string // the server of the configuration that it is of: the name of its levers
	State       State
	Reason      string // of State
	Since       time.Time
	Backup      bool
	Weight      int     // as configured, or as its lever says
	Share       float64 // part of the weight that it gets now, 0 to 1
	InFlight    int
	MaxInFlight int // now, with the slow start; 0: unlimited
	Ejections   int // since start
	Failures    int // attempts failed in a row
	LastError   string
	LastErrorAt time.Time // zero: none
	Leaving     bool      // not configured any more, finishing
	Connections upstream.Stats
}

// Unresolved is a host name whose last look-up failed.
type Unresolved struct {
	Host  string
	Error string
	Kept  int // addresses that are still used
}

func (g *group) snapshot() Snapshot {
	now := g.opts.Clock.Now()
	g.mu.Lock()
	s := Snapshot{
		Name: g.name, Paused: g.levers.paused, InFlight: g.inFlight, MaxInFlight: g.levers.maxInFlight,
		Queue: QueueSnapshot{Depth: g.entering.n + g.acquiring.n, Bytes: g.bytes},
	}
	first := cmp.Or(g.acquiring.head, g.entering.head)
	if first != nil {
		s.Queue.Oldest, s.Queue.PerSecond = now.Sub(first.joined), g.rate.perSecond
	}
	all := slices.Concat(g.servers, g.leaving)
	for _, v := range all {
		m := &v.machine
		x := ServerSnapshot{
			Name: v.name, Configured: v.target.name, State: m.State(), Reason: m.reason, Since: m.since, Backup: v.backup, Weight: v.weight,
			InFlight: v.inFlight, MaxInFlight: v.bound(now), Ejections: m.ejections, Failures: m.failures,
			LastError: v.lastError, LastErrorAt: v.lastErrorAt, Leaving: v.gone,
		}
		if m.eligible() {
			x.Share = float64(m.factor(now)) / 1000
		}
		s.Servers = append(s.Servers, x)
	}
	for _, n := range g.names {
		if n.err != nil {
			s.Unresolved = append(s.Unresolved, Unresolved{n.host, n.err.Error(), len(n.addrs)})
		}
	}
	g.mu.Unlock()
	for i, v := range all { // transports have locks of their own
		s.Servers[i].Connections = v.transport.Stats()
	}
	slices.SortFunc(s.Unresolved, func(a, b Unresolved) int { return cmp.Compare(a.Host, b.Host) })
	return s
}
