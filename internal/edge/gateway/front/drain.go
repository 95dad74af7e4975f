package front

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/front/lane"
)

const (
	// linger is how long a connection that waits for its next request is left open
	// when keep-alive has ended, so that a request already on its way is answered
	// (with "Connection: close") instead of lost.
	linger = time.Second
	// tunnelTime bounds the end of upgraded connections.
	tunnelTime = 10 * time.Second
	drainPoll  = 10 * time.Millisecond
)

// Hooks are what others do while the front drains. Each may be nil.
type Hooks struct {
	// Unready makes readiness fail. It is called first and returns at once.
	Unready func()
	// Tunnels ends upgraded connections in good manners. It is called when the
	// requests have ended; ctx bounds it. What is still open afterwards is cut.
	Tunnels func(ctx context.Context)
}

// Drain ends the front in the order of the guide, section 4.3 (1): readiness
// fails; new connections are accepted for d.AcceptGrace; then answers end their
// connections and nothing more is accepted; requests under way have d.Timeout;
// tunnels are ended; what is left is cut. When ctx ends, the rest is cut at
// once. It returns nil if nothing had to be cut, else an error with the number
// of connections. Afterwards the front is closed.
func (f *Front) Drain(ctx context.Context, d config.Drain, hooks Hooks) error {
	if hooks.Unready != nil {
		hooks.Unready()
	}
	clock.Sleep(ctx, d.AcceptGrace.D())

	if !f.close() {
		return ErrDrained
	}
	f.leaving.Store(true)
	f.stopAccepting((*socket).stop)

	answers, done := context.WithTimeout(ctx, d.Timeout.D())
	f.waitForRequests(answers)
	done()
	if hooks.Tunnels != nil && f.openConnections() > 0 {
		tunnels, done := context.WithTimeout(ctx, tunnelTime)
		hooks.Tunnels(tunnels)
		f.waitForNone(tunnels, drainPoll)
		done()
	}
	if n := f.force(); n > 0 {
		return fmt.Errorf("drain: %d connections had to be cut", n)
	}
	return nil
}

// close makes Apply refuse, so that the listeners and generations change no more.
// It reports false if somebody did so before.
func (f *Front) close() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !f.closed
	f.closed = true
	return first
}

// stopAccepting makes every socket stop in the way given, and returns when
// nothing new can come. The front is closed.
func (f *Front) stopAccepting(stop func(*socket)) {
	for _, s := range f.sockets {
		s.altSvc.Store(nil)
		stop(s)
	}
	for _, s := range f.sockets {
		<-s.stopped
		if s.udp != nil {
			// Its error is that of a second close.
			_ = s.udp.listener.Close()
			s.udp.cancel()
			<-s.udp.done
		}
	}
}

// waitForRequests waits until every request has been answered and every
// connection closed, upgraded ones aside, or ctx ends. The front is
// closed.
func (f *Front) waitForRequests(ctx context.Context) {
	var servers sync.WaitGroup
	for _, v := range f.quicVisitors(everyQUIC) {
		// GOAWAY at once: HTTP/3 visitors know which requests were not taken.
		servers.Go(func() { v.part(ctx) })
	}
	idle, done := context.WithTimeout(ctx, linger)
	f.waitForNone(idle, drainPoll)
	done()
	for _, g := range f.generations() {
		// An error says that ctx ended: what is left will be cut.
		servers.Go(func() { _ = g.server.Shutdown(ctx) })
	}
	servers.Go(func() { f.waitForLanes(ctx) })
	servers.Wait()
}

// waitForLanes closes connections on the fast lane as soon as they are between
// two requests, until none is left or ctx ends.
func (f *Front) waitForLanes(ctx context.Context) {
	for f.closeIdleLanes() > 0 {
		if !clock.Sleep(ctx, drainPoll) {
			return
		}
	}
}

// closeIdleLanes returns how many connections were on the fast lane with a
// request, or still in their handshake.
func (f *Front) closeIdleLanes() (left int) {
	var idle []*lane.Conn
	f.live.Lock()
	for c := range f.conns {
		switch l := c.lane.Load(); {
		case c.shaking.Load(), l != nil && l.Busy():
			left++
		case l != nil:
			idle = append(idle, l)
		}
	}
	f.live.Unlock()
	for _, l := range idle { // closing takes the lock
		if !l.CloseIdle() {
			left++
		}
	}
	return left
}

// waitForNone waits until no connection is open, or ctx ends.
func (f *Front) waitForNone(ctx context.Context, every time.Duration) {
	for f.openConnections() > 0 {
		if !clock.Sleep(ctx, every) {
			return
		}
	}
}

// force cuts what is left and ends every goroutine. It returns the number of
// connections that were open. The front is closed.
func (f *Front) force() int {
	f.live.Lock()
	left := make([]*conn, 0, len(f.conns))
	for c := range f.conns {
		left = append(left, c)
	}
	cut := len(left) + len(f.quics)
	f.live.Unlock()
	for _, c := range left {
		c.abort("drain")
	}
	for _, v := range f.quicVisitors(everyQUIC) {
		_ = v.server.Close()
	}
	for _, g := range f.generations() {
		g.handoff.Close()
		// Its connections are closed already.
		_ = g.server.Close()
		if g.started {
			<-g.done
		}
	}
	for _, s := range f.sockets {
		if s.udp != nil {
			s.udp.close()
		}
	}
	f.ladder.close()
	return cut
}
