// Package origin is a named group of servers: their state (health, breaker,
// slow start), the choice among them, the limits on requests under way, and the
// queue in which requests wait when there is no free slot or no server.
//
// contract.go says what the proxy sees of it: a request makes a Visit, and each
// of its attempts holds a Lease. DESIGN.md says why it is as it is.
package origin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// ErrNoServer is returned for the name of a server that the origin does not have.
var ErrNoServer = errors.New("no such server")

// Resolver looks up the addresses of a host name; *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options are what an Origin needs of its surroundings.
type Options struct {
	// NewTransport builds the transport to one server. It must not connect. Required.
	NewTransport func(TransportSpec) (upstream.Transport, error)
	// Resolver looks up host names. nil: the system's.
	Resolver Resolver
	// Logger gets every change of a server's state. nil: nowhere.
	Logger *slog.Logger
	// Metrics shows the origin to Prometheus. nil: not.
	Metrics *Metrics
	// Clock tells the time. Timers are real ones.
	Clock clock.Clock
	// Secrets keep the addresses in sticky cookies secret: the first one signs, the
	// cookies of all are understood. The same ones over restarts and on all nodes keep
	// visitors on their servers. None: one is drawn at random, and visitors are spread
	// anew after a restart.
	Secrets [][]byte
	// OnChange is called after every change of a server's state, without locks
	// held, possibly from several goroutines at once. nil: not.
	OnChange func(Change)
}

// Origin is one configuration of a group of servers. The servers, their state,
// the slots and the queue live in a group that is handed from one Origin to the
// next over reloads (Reuse); requests that entered through an earlier Origin
// wait in the same queue and are served by the servers configured last.
//
// Its life: New, Reuse if there was one of that name before, Start once nothing
// can fail any more, Retire. Safe for concurrent use after Start.
type Origin struct {
	plan  *plan
	group *group
}

// New checks cfg and builds what it needs, without a connection or a look-up.
// cfg must be complete (defaults filled in) and is not changed afterwards.
func New(name string, cfg *config.Origin, o Options) (*Origin, error) {
	if o.NewTransport == nil {
		return nil, fmt.Errorf("new origin %s: no transport factory", name)
	}
	p, err := newPlan(cfg, o)
	if err != nil {
		return nil, fmt.Errorf("new origin %s: %w", name, err)
	}
	return &Origin{plan: p, group: newGroup(name, p, o)}, nil
}

// Reuse makes o go on with the servers, the state, the queue and the counters
// of previous, the Origin of the same name before the reload. Nothing changes
// for previous until Start. Call it between New and Start.
func (o *Origin) Reuse(previous *Origin) { o.group = previous.group }

// Start puts o's configuration, with the levers that were turned on o, in force
// in place of the one before: servers
// with the same address, TLS, transport and pool settings go on as they are, new
// ones are checked at once, vanished ones finish what they have. It also starts
// checks and look-ups.
func (o *Origin) Start() { o.group.adopt(o.plan) }

// Retire ends o. If another Origin took its group over, or o was never started,
// that is all; else checks, look-ups and idle connections end when the last
// visit has left. Visits that come later still find the servers as they were.
func (o *Origin) Retire() { o.group.retire(o.plan) }

// Enter takes a slot of the origin for a request, and waits for it in the queue
// while there is none or the origin is paused. The Visit must be left.
// Errors: ErrQueueFull, ErrQueueDeadline, or ctx.Err().
func (o *Origin) Enter(ctx context.Context, a Arrival) (Visit, error) {
	v, err := o.group.enter(ctx, a)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Snapshot is the origin as it is now.
func (o *Origin) Snapshot() Snapshot { return o.group.snapshot() }
