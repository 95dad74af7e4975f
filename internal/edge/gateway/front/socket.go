package front

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// A listener that stops goes on taking visitors who are connected as far as
	// they know, until none has come for lastQuiet: in that time the last word of a
	// handshake under way arrives from far away. lastAccepts bounds it all where
	// the kernel cannot be told to let nobody new in.
	lastQuiet   = 200 * time.Millisecond
	lastAccepts = time.Second
	// acceptPause is the longest pause after an error of accept, such as too many
	// open files.
	acceptPause = time.Second
)

// socket is one listening TCP address, with the UDP one beside it where HTTP/3
// is on. It lives as long as some configuration names it, whatever else changes.
type socket struct {
	front    *Front
	key      string // in Front.sockets
	listener *net.TCPListener
	secure   atomic.Bool
	altSvc   atomic.Pointer[[]string] // value of the Alt-Svc header; nil: no HTTP/3 here
	udp      *udpSocket

	serveOnce sync.Once
	stopOnce  sync.Once
	stopAt    atomic.Int64 // when a stop is over at the latest, Unix ns; 0: none yet
	stopping  chan struct{}
	stopped   chan struct{} // closed when nothing is accepted any more
}

// newSocket opens address.
func newSocket(f *Front, key, address string, removed []*socket) (*socket, error) {
	listener, err := listen(address, removed)
	if err != nil {
		return nil, err
	}
	return &socket{front: f, key: key, listener: listener, stopping: make(chan struct{}), stopped: make(chan struct{})}, nil
}

// serve begins to accept; once.
func (s *socket) serve() {
	s.serveOnce.Do(func() { go s.accept() })
}

// discard closes a socket that never served.
func (s *socket) discard() { s.listener.Close() }

// stop makes the socket take what is queued and then close. wait on stopped.
func (s *socket) stop() {
	s.stopOnce.Do(func() {
		// A listener always has somebody in its queue on a busy day, and closing it
		// resets them: so first nobody new gets in.
		if raw, err := s.listener.SyscallConn(); err == nil {
			if err := deafen(raw); err != nil {
				s.front.log.Debug("a listener closes with its door open", "address", s.listener.Addr().String(), "error", err)
			}
		}
		s.stopAt.Store(time.Now().Add(lastAccepts).UnixNano())
		close(s.stopping)
		// It ends an accept that waits. An error means that the listener is closed.
		_ = s.listener.SetDeadline(time.Now())
	})
}

// cut closes the socket with whoever is in its queue. wait on stopped.
func (s *socket) cut() {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.listener.Close()
}

// remove ends the socket in the background; its HTTP/3 visitors are told first.
func (s *socket) remove() {
	s.attachUDP(nil)
	s.stop()
}

// isOpen reports whether the socket still accepts.
func (s *socket) isOpen() bool {
	select {
	case <-s.stopped:
		return false
	default:
		return true
	}
}

// port returns the port that the socket listens on.
func (s *socket) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// accept takes connections until the socket is stopped.
func (s *socket) accept() {
	defer close(s.stopped)
	defer s.listener.Close()
	pause := time.Duration(0)
	for {
		// One that stops does not wait for room: what it takes is soon over.
		s.front.gate.wait(s.stopping)
		last := s.isStopping()
		if last && !s.acceptLast() {
			return
		}
		c, err := s.listener.AcceptTCP()
		if err != nil {
			if last || errors.Is(err, net.ErrClosed) {
				return
			}
			if s.isStopping() { // the accept that stop interrupted
				continue
			}
			pause = min(max(2*pause, 5*time.Millisecond), acceptPause)
			s.front.log.Warn("accepting connections", "address", s.listener.Addr().String(), "error", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-s.stopping:
			}
			continue
		}
		pause = 0
		s.welcome(c)
	}
}

// acceptLast gives the next accept of a socket that stops its time, and reports
// false when the time for all of them is over.
func (s *socket) acceptLast() bool {
	now := time.Now()
	if now.UnixNano() >= s.stopAt.Load() {
		return false
	}
	return s.listener.SetDeadline(now.Add(lastQuiet)) == nil
}

func (s *socket) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// welcome counts a new connection and finds out whose it is.
func (s *socket) welcome(tcp *net.TCPConn) {
	f := s.front
	f.gate.enter()
	f.metrics.accepted[s.protocol()].Inc()
	g := f.current.Load()
	c := &conn{TCPConn: tcp, address: addressOf(tcp.RemoteAddr()), secure: s.secure.Load()}
	c.front, c.socket = f, s
	c.end, c.sample = c.abort, c.sampleTCP
	c.setLimits(g.settings.limits.Response)
	f.track(c)
	if within(g.settings.proxyFrom, c.address) {
		// It may keep us waiting, so it does not keep the others.
		go func() {
			if err := c.introduce(g.settings.proxyTimeout); err != nil {
				f.log.Debug("PROXY header refused", "peer", tcp.RemoteAddr().String(), "error", err)
				f.metrics.refused.WithLabelValues(refusalOf(err)).Inc()
				c.Close()
				return
			}
			s.admit(c, g.settings)
		}()
		return
	}
	s.admit(c, g.settings)
}

// admit checks how many connections the visitor has and gives c to a server.
func (s *socket) admit(c *conn, now *settings) {
	f := s.front
	if !within(now.exempt, c.address) {
		if !f.census.enter(c.address, now.limits.ConnectionsPerIP) {
			f.metrics.refused.WithLabelValues("per_ip").Inc()
			c.Close()
			return
		}
		c.counted = true
	}
	if g := c.enroll(); g != nil {
		g.serveConn(c)
	}
}

// enroll counts c among the connections of the current generation and returns
// that; nil if the front is closed, and c with it.
func (c *conn) enroll() *generation {
	for {
		g := c.front.current.Load()
		g.join()
		c.generation = g
		if !g.handoff.isClosed() {
			return g
		}
		if g == c.front.current.Load() { // closed for good, not replaced
			c.Close()
			return nil
		}
		c.generation = nil
		g.quit()
	}
}

// protocol is the word for metrics.
func (s *socket) protocol() string {
	if s.secure.Load() {
		return "https"
	}
	return "http"
}

// addressOf returns the address without port of a TCP or UDP address, without
// IPv4-in-IPv6; the zero address for others.
func addressOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// refusalOf is the word for metrics of an error of introduce.
func refusalOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "proxy_timeout"
	}
	return "proxy_header"
}
