package origin

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

var errRefused = errors.New("connection refused")

// fakeServer is a server as a transport sees it: it accepts connections or not,
// and answers checks with a status.
type fakeServer struct {
	mu      sync.Mutex
	refuse  bool
	status  int // of checks, 0: 200
	probes  int
	checks  int
	closed  int
	targets []string // of checks
	hosts   []string
}

func (s *fakeServer) set(refuse bool, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse, s.status = refuse, status
}

func (s *fakeServer) counts() (probes, checks, closed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probes, s.checks, s.closed
}

// Probe implements upstream.Transport.
func (s *fakeServer) Probe(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probes++
	if s.refuse {
		return &upstream.Error{Outcome: exchange.Connect, Op: "dial", Err: errRefused}
	}
	return nil
}

// RoundTrip implements upstream.Transport.
func (s *fakeServer) RoundTrip(_ context.Context, r *upstream.Request) (*upstream.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks++
	s.targets, s.hosts = append(s.targets, r.Target), append(s.hosts, r.Host)
	if s.refuse {
		return nil, &upstream.Error{Outcome: exchange.Connect, Op: "dial", Err: errRefused}
	}
	status := s.status
	if status == 0 {
		status = 200
	}
	return upstream.NewResponse(upstream.Response{Status: status, Body: strings.NewReader("ok")}, func() error { return nil }), nil
}

// Stats implements upstream.Transport.
func (s *fakeServer) Stats() upstream.Stats { return upstream.Stats{} }

// Close implements upstream.Transport.
func (s *fakeServer) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
}

// world is the servers by address, the names, and the changes that were seen.
type world struct {
	mu      sync.Mutex
	servers map[string]*fakeServer
	specs   []TransportSpec
	names   map[string][]netip.Addr
	changes []Change
}

func (w *world) server(address string) *fakeServer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.servers == nil {
		w.servers = make(map[string]*fakeServer)
	}
	s := w.servers[address]
	if s == nil {
		s = &fakeServer{}
		w.servers[address] = s
	}
	return s
}

func (w *world) resolve(name string, addrs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names == nil {
		w.names = make(map[string][]netip.Addr)
	}
	w.names[name] = nil
	for _, a := range addrs {
		w.names[name] = append(w.names[name], netip.MustParseAddr(a))
	}
}

// LookupNetIP implements Resolver.
func (w *world) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.names[host]) == 0 {
		return nil, errors.New("no such host")
	}
	return w.names[host], nil
}

func (w *world) options() Options {
	return Options{
		Resolver: w,
		Secrets:  [][]byte{[]byte("secret")},
		NewTransport: func(s TransportSpec) (upstream.Transport, error) {
			t := w.server(s.Address)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.specs = append(w.specs, s)
			return t, nil
		},
		OnChange: func(c Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c)
		},
	}
}

// passed returns the states through which a server went, the first excluded.
func (w *world) passed(server string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var states []string
	for _, c := range w.changes {
		if c.Server == server {
			states = append(states, c.To.String())
		}
	}
	return states
}

// settingsFor returns a complete configuration with the guide's defaults.
func settingsFor(urls ...string) *config.Origin {
	c := &config.Origin{
		Balance:         config.Balance{Policy: "least_requests", Key: "client"},
		Host:            "preserve",
		Transport:       "lean",
		DialTimeout:     config.Duration(2 * time.Second),
		ResolveInterval: config.Duration(10 * time.Second),
		Health: config.Health{
			ConsecutiveFailures: 5, FailStatuses: []int{502, 503, 504},
			Eject:     config.Eject{Base: config.Duration(30 * time.Second), Max: config.Duration(300 * time.Second)},
			SlowStart: config.Duration(10 * time.Second),
		},
		Queue: config.Queue{MaxRequests: 1000, MaxBytes: 64 << 20, Timeout: config.Duration(30 * time.Second)},
	}
	for _, u := range urls {
		c.Servers = append(c.Servers, &config.Server{URL: u, Weight: 1, State: "up"})
	}
	return c
}

func withChecks(c *config.Origin) *config.Origin {
	c.Health.Active = &config.ActiveHealth{
		Path: "/healthz", Interval: config.Duration(5 * time.Second), Timeout: config.Duration(2 * time.Second), Rise: 2, Fall: 3,
	}
	return c
}

// open makes and starts an origin that is retired when the test ends.
func (w *world) open(t testing.TB, cfg *config.Origin) *Origin {
	t.Helper()
	o, err := New("shop", cfg, w.options())
	if err != nil {
		t.Fatal(err)
	}
	o.Start()
	t.Cleanup(o.Retire)
	return o
}

// visitIn enters o or ends the test.
func visitIn(t testing.TB, o *Origin, a Arrival) Visit {
	t.Helper()
	v, err := o.Enter(context.Background(), a)
	if err != nil {
		t.Fatalf("enter: %v", err)
	}
	return v
}

// acquire gets a server without waiting or ends the test.
func acquire(t testing.TB, v Visit, used ...string) Lease {
	t.Helper()
	l, err := v.Acquire(context.Background(), used, false)
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	return l
}

// attempt makes one whole request with the given result and returns its server.
func attempt(t testing.TB, o *Origin, a Arrival, outcome exchange.Outcome, status int) string {
	t.Helper()
	v := visitIn(t, o, a)
	defer v.Leave()
	l := acquire(t, v)
	defer l.Done()
	l.Report(outcome, status)
	return l.Server()
}

// failOn makes n attempts fail on the named server.
func failOn(t testing.TB, o *Origin, server string, n int) {
	t.Helper()
	var others []string
	for _, s := range o.Snapshot().Servers {
		if s.Name != server {
			others = append(others, s.Name)
		}
	}
	for range n {
		v := visitIn(t, o, Arrival{})
		l := acquire(t, v, others...)
		if l.Server() != server {
			t.Fatalf("got %s, want %s", l.Server(), server)
		}
		l.Report(exchange.Reset, 0)
		l.Done()
		v.Leave()
	}
}

// waiter is a request that goes through Enter and Acquire in its own goroutine.
type waiter struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when lease or err is there
	visit  Visit
	lease  Lease
	err    error
}

// wait starts a request.
func wait(o *Origin, a Arrival, used ...string) *waiter {
	ctx, cancel := context.WithCancel(context.Background())
	w := &waiter{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		if w.visit, w.err = o.Enter(ctx, a); w.err != nil {
			return
		}
		w.lease, w.err = w.visit.Acquire(ctx, used, true)
	}()
	return w
}

// served reports whether the request has got a server.
func (w *waiter) served() bool {
	select {
	case <-w.done:
		return w.lease != nil
	default:
		return false
	}
}

// ended reports whether the request waits no more.
func (w *waiter) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// finish ends the request, whatever it has.
func (w *waiter) finish(outcome exchange.Outcome, status int) {
	w.cancel()
	<-w.done
	if w.lease != nil {
		w.lease.Report(outcome, status)
		w.lease.Done()
		w.lease = nil
	}
	if w.visit != nil {
		w.visit.Leave()
		w.visit = nil
	}
}

// stateOf returns the state of a server.
func stateOf(t testing.TB, o *Origin, server string) State {
	t.Helper()
	for _, s := range o.Snapshot().Servers {
		if s.Name == server {
			return s.State
		}
	}
	t.Fatalf("no server %s", server)
	return Unknown
}
