package vendor

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

const (
	longEvery = 12               // of so many closings one is long
	reopenFor = 10 * time.Second // how long a server tries to get its port back
)

// server is one of the vendor's, listening now and then.
type server struct {
	address string
	slow    time.Duration
	ledger  *Ledger
	early   int         // closings before the first, so that the servers are not away for long at the same time
	closed  atomic.Bool // refuses connections; says goodbye on those that it has

	serving sync.WaitGroup // connections

	mu     sync.Mutex // guards the fields below
	faults *rand.Rand // one draw for each request
	times  *rand.Rand // of opening and closing, apart so that either row depends on the seed alone
}

// newServer returns the i-th server of serverCount.
func newServer(i int, address string, o Options, seeds *rand.Rand) *server {
	fresh := func() *rand.Rand { return rand.New(rand.NewPCG(seeds.Uint64(), seeds.Uint64())) }
	return &server{address: address, slow: o.Slow, ledger: o.Ledger, early: 1 + i*longEvery/serverCount, faults: fresh(), times: fresh()}
}

// run serves until ctx ends, then cuts what is under way.
func (s *server) run(ctx context.Context, listener net.Listener) error {
	connections := make(chan net.Conn)
	web := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         func(c net.Conn, state http.ConnState) { c.(*conn).became(state) },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(discard{}, "", 0), // faults are on purpose
	}
	served := make(chan error, 1)
	go func() {
		served <- web.Serve(&doorstep{server: s, address: listener.Addr(), connections: connections, done: ctx.Done()})
	}()
	err := s.comeAndGo(ctx, listener, connections)
	if serveErr := <-served; !errors.Is(serveErr, net.ErrClosed) {
		err = errors.Join(err, serveErr)
	}
	web.Close()
	s.serving.Wait()
	return err
}

// comeAndGo accepts connections, and refuses them for moments: most shorter than
// a health check notices, some long enough. It owns the listener.
func (s *server) comeAndGo(ctx context.Context, listener net.Listener, connections chan<- net.Conn) error {
	for closings := s.early; ; closings++ {
		accepting := make(chan struct{})
		go func() {
			defer close(accepting)
			accept(ctx, listener, connections)
		}()
		on := clock.Sleep(ctx, s.between(800*time.Millisecond, 2400*time.Millisecond))
		s.closed.Store(true)
		s.ledger.closing(s.address)
		listener.Close()
		<-accepting
		if !on {
			return nil
		}
		length := s.between(50*time.Millisecond, 150*time.Millisecond)
		if closings%longEvery == 0 {
			length = s.between(2*time.Second, 4*time.Second)
		}
		if !clock.Sleep(ctx, length) {
			return nil
		}
		var err error
		if listener, err = s.reopen(ctx); err != nil {
			return err
		}
		s.closed.Store(false)
	}
}

// between is a random time.
func (s *server) between(least, most time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return least + time.Duration(s.times.Int64N(int64(most-least)))
}

func (s *server) reopen(ctx context.Context) (net.Listener, error) {
	for deadline := time.Now().Add(reopenFor); ; {
		listener, err := net.Listen("tcp", s.address)
		if err == nil || time.Now().After(deadline) {
			return listener, err
		}
		if !clock.Sleep(ctx, 20*time.Millisecond) {
			return nil, fmt.Errorf("stopped before the port was free again: %w", err)
		}
	}
}

// accept hands connections on until the listener is closed.
func accept(ctx context.Context, listener net.Listener, connections chan<- net.Conn) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		select {
		case connections <- c:
		case <-ctx.Done():
			c.Close()
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// doorstep is the listener that http.Server sees: it outlives the real ones.
type doorstep struct {
	server      *server
	address     net.Addr
	connections <-chan net.Conn
	done        <-chan struct{}
}

func (d *doorstep) Accept() (net.Conn, error) {
	select {
	case c := <-d.connections:
		return &conn{Conn: c, server: d.server}, nil
	case <-d.done:
		return nil, net.ErrClosed
	}
}

func (d *doorstep) Close() error   { return nil }
func (d *doorstep) Addr() net.Addr { return d.address }
