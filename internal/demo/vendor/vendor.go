package vendor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

const serverCount = 3

// Options say how the API fails. Only Ledger must be given.
type Options struct {
	Ledger *Ledger
	Seed   uint64        // of the faults
	Slow   time.Duration // how long a slow answer takes; 0: 3 s. More than the door's try_timeout
}

// API is the vendor's three servers, running.
type API struct {
	servers []*server
	stop    context.CancelFunc
	running sync.WaitGroup
	failed  chan error // the first error of a server; buffered
}

// Start opens the servers on loopback addresses. Close ends them.
func Start(o Options) (*API, error) {
	if o.Slow == 0 {
		o.Slow = 3 * time.Second
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &API{stop: stop, failed: make(chan error, 1)}
	for i := range serverCount {
		listener, err := listenApart(i)
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("open server %d of the vendor API: %w", i+1, err)
		}
		s := newServer(i, listener.Addr().String(), o, rand.New(rand.NewPCG(o.Seed, uint64(i))))
		a.servers = append(a.servers, s)
		a.running.Go(func() {
			if err := s.run(ctx, listener); err != nil {
				select {
				case a.failed <- fmt.Errorf("vendor server %s: %w", s.address, err):
				default:
				}
			}
		})
	}
	return a, nil
}

// Addresses are the servers', "host:port", in a fixed order.
func (a *API) Addresses() []string {
	var all []string
	for _, s := range a.servers {
		all = append(all, s.address)
	}
	return all
}

// Failed gives the error of a server that cannot go on, if one ever does.
func (a *API) Failed() <-chan error { return a.failed }

// Close cuts everything that is under way and returns when nothing is left of it.
func (a *API) Close() {
	a.stop()
	a.running.Wait()
}

// listenApart listens on a loopback address that nobody sends from: on
// 127.0.0.1, the port of a server that is closed for a moment might become the
// near end of somebody's connection, and could then not be opened again. Where
// there is only one loopback address, that small risk is taken.
func listenApart(i int) (net.Listener, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:0", 2+i))
	if err == nil {
		return listener, nil
	}
	listener, again := net.Listen("tcp", "127.0.0.1:0")
	if again != nil {
		return nil, errors.Join(err, again)
	}
	return listener, nil
}
