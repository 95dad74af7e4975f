package front

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/quic-go/quic-go"

	"github.com/evergate/evergate/internal/config"
)

// ErrDrained says that the front has been drained or closed and serves no more.
var ErrDrained = errors.New("front: drained")

// Certificates is what the front needs of the certificates.
type Certificates interface {
	// TLSConfig returns what an https listener of cfg speaks. For a cfg that
	// asks for the same it returns the same pointer; another pointer makes the
	// front ask visitors of the former one to connect anew.
	TLSConfig(cfg *config.Config) (*tls.Config, error)
	// HTTPChallenge answers the ACME authority on plain HTTP and passes all
	// else to next.
	HTTPChallenge(next http.Handler) http.Handler
}

// Refuse answers a request that the front itself turns away. reason is a word
// of a closed list: "memory" (503), "misdirected" (421) or "version" (505). retryAfter is 0 where
// no Retry-After is due.
type Refuse func(w http.ResponseWriter, r *http.Request, status int, reason string, retryAfter time.Duration)

// Options are what a front needs beside its configuration.
type Options struct {
	Handler      http.Handler          // who answers; required
	Certificates Certificates          // nil: no https listeners
	Refuse       Refuse                // nil: a line of text
	Log          *slog.Logger          // nil: slog's default
	Registerer   prometheus.Registerer // nil: metrics are counted and not shown
	Memory       func() uint64         // bytes in use by the process; nil: asks the Go runtime
}

// Front owns the listeners and every connection that came through them. Its
// methods are safe for concurrent use.
type Front struct {
	log     *slog.Logger
	certs   Certificates
	root    http.Handler // all of what a request meets, the ACME challenge first
	next    http.Handler
	refuse  Refuse
	metrics *metrics
	ladder  *ladder
	gate    gate
	census  census

	current atomic.Pointer[generation] // serves connections that come now; nil before the first Apply
	leaving atomic.Bool                // draining: answers end their connection

	mu      sync.Mutex // guards the fields below; held through Apply
	sockets map[string]*socket
	order   []*socket // as configured: http first, then https
	closing []*socket // removed, and perhaps still taking their last visitors
	old     []*generation
	closed  bool

	live  sync.Mutex // guards the fields below
	conns map[*conn]struct{}
	quics map[*quic.Conn]*quicVisitor
}

// New returns a front that does not listen yet: Apply makes it.
func New(o Options) *Front {
	f := &Front{
		log:     cmp.Or(o.Log, slog.Default()),
		certs:   o.Certificates,
		next:    o.Handler,
		refuse:  o.Refuse,
		sockets: make(map[string]*socket),
		conns:   make(map[*conn]struct{}),
		quics:   make(map[*quic.Conn]*quicVisitor),
	}
	if f.refuse == nil {
		f.refuse = refuseInText
	}
	f.metrics = newMetrics(f, o.Registerer)
	f.ladder = newLadder(o.Memory, f.log)
	f.root = http.HandlerFunc(f.serve)
	if f.certs != nil {
		f.root = f.certs.HTTPChallenge(f.root)
	}
	return f
}

// Apply makes the front listen as cfg says. Listeners that stay keep their
// sockets and connections; new ones are open before anything else changes;
// removed ones take what is already in their queue, and their connections end
// with the answer to their next request. Limits and timeouts hold for
// connections that come afterwards. After an error everything is as it was.
// Errors: what the system says of an address, what is wrong with the TLS
// settings, ErrDrained.
func (f *Front) Apply(cfg *config.Config) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrDrained
	}
	next, err := f.prepare(cfg)
	if err != nil {
		return err
	}
	plan, err := f.open(cfg)
	if err != nil {
		next.discard()
		return err
	}
	f.commit(cfg, next, plan)
	return nil
}

// prepare returns the generation for cfg: the current one if it would be the
// same, else a new one that does not serve yet.
func (f *Front) prepare(cfg *config.Config) (*generation, error) {
	var conf *tls.Config
	if len(cfg.Listen.HTTPS) > 0 {
		if f.certs == nil {
			return nil, errors.New("listen on https: there is no source of certificates")
		}
		var err error
		if conf, err = f.certs.TLSConfig(cfg); err != nil {
			return nil, fmt.Errorf("prepare TLS: %w", err)
		}
	}
	s := settingsOf(cfg, conf)
	if current := f.current.Load(); current != nil && current.settings.same(s) {
		return current, nil
	}
	return newGeneration(f, s), nil
}

// commit puts the prepared parts to use. Nothing in it can fail.
func (f *Front) commit(cfg *config.Config, next *generation, plan *plan) {
	f.ladder.apply(int64(cfg.Limits.Memory))
	f.gate.setLimit(connectionLimit(cfg.Limits.Connections, openFiles()))
	if previous := f.current.Load(); previous != next {
		next.start()
		f.current.Store(next)
		f.retire(previous, next)
	}
	for _, s := range plan.removed {
		delete(f.sockets, s.key)
		s.remove()
		f.closing = append(keep(f.closing, (*socket).isOpen), s)
		f.leave(func(c *conn) bool { return c.socket == s })
	}
	f.order = plan.order
	for i, s := range f.order {
		f.sockets[s.key] = s
		s.secure.Store(plan.secure[i])
		s.attachUDP(plan.udp[i])
		s.serve()
	}
	f.log.Debug("listening", "addresses", len(f.order), "opened", len(plan.opened), "closed", len(plan.removed))
}

// retire lets the connections of previous go on; when the last has ended, its
// servers end too. If what TLS asks of visitors has changed, they are asked to
// connect anew, so that nobody stays under the rules of yesterday.
func (f *Front) retire(previous, next *generation) {
	f.old = keep(f.old, func(g *generation) bool { return !g.ended() })
	if previous == nil {
		return
	}
	f.old = append(f.old, previous)
	if previous.settings.tls != next.settings.tls && previous.settings.tls != nil {
		f.leave(func(c *conn) bool { return c.generation == previous && c.secure })
		f.part(f.drainTime(), func(v *quicVisitor) bool { return v.generation == previous })
	}
	previous.retire()
}

// leave marks connections to end with the answer to their next request.
func (f *Front) leave(which func(*conn) bool) {
	f.live.Lock()
	defer f.live.Unlock()
	for c := range f.conns {
		if which(c) {
			c.leaving.Store(true)
		}
	}
}

// Addresses returns where the front listens, in the order of the configuration,
// with the ports that the system chose for those configured as 0.
func (f *Front) Addresses() (http, https []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.order {
		if s.secure.Load() {
			https = append(https, s.listener.Addr().String())
		} else {
			http = append(http, s.listener.Addr().String())
		}
	}
	return http, https
}

// Close ends the front at once, without drain: every listener, connection and
// goroutine. It may be called twice, and after Drain.
func (f *Front) Close() error {
	f.close()
	f.leaving.Store(true)
	f.stopAccepting((*socket).cut)
	f.force()
	return nil
}

// generations returns every generation that may have connections. The front is
// closed.
func (f *Front) generations() []*generation {
	all := f.old
	if g := f.current.Load(); g != nil {
		all = append(all[:len(all):len(all)], g)
	}
	return all
}

// track and forget keep the set of open connections.
func (f *Front) track(c *conn) {
	f.live.Lock()
	f.conns[c] = struct{}{}
	f.live.Unlock()
}

func (f *Front) forget(c *conn) {
	f.live.Lock()
	delete(f.conns, c)
	f.live.Unlock()
}

// openConnections counts connections of every kind.
func (f *Front) openConnections() int {
	f.live.Lock()
	defer f.live.Unlock()
	return len(f.conns) + len(f.quics)
}

// keep returns the elements of all for which want holds, in a new slice.
func keep[T any](all []T, want func(T) bool) []T {
	var kept []T
	for _, x := range all {
		if want(x) {
			kept = append(kept, x)
		}
	}
	return kept
}

// visitorKey is the key of the visitor in a request's context.
type visitorKey struct{}

// visitorOf returns the connection's state, nil outside of a front.
func visitorOf(ctx context.Context) *visitor {
	v, _ := ctx.Value(visitorKey{}).(*visitor)
	return v
}
