package vendor

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

var errReset = errors.New("reset on purpose")

type connKey struct{} // of the *conn in a request's context

// conn is a connection whose next request is doomed, or not, before it is read.
type conn struct {
	net.Conn
	server *server

	between atomic.Bool   // the next bytes begin a request
	fault   atomic.Uint32 // a Fault, of the request under way
}

// became follows http.Server's view of the connection.
func (c *conn) became(state http.ConnState) {
	switch state {
	case http.StateNew:
		c.server.serving.Add(1)
		c.between.Store(true)
	case http.StateIdle:
		c.between.Store(true)
	case http.StateClosed:
		c.server.serving.Done()
	}
}

// Read draws the fault of a request as its first bytes arrive. They are looked at
// only to leave health checks alone: a server that answers those well and fails
// the real requests is the kind that monitoring calls healthy.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 || !c.between.CompareAndSwap(true, false) {
		return n, err
	}
	c.fault.Store(uint32(None))
	if !isWork(p[:n]) {
		return n, err
	}
	fault := c.server.draw()
	if fault == ResetUnread {
		c.server.ledger.resetUnread(c.server.address)
		c.reset()
		return 0, errReset
	}
	c.fault.Store(uint32(fault))
	return n, err
}

// isWork reports whether a request that begins with p is one of the API's.
func isWork(p []byte) bool {
	return bytes.HasPrefix(p, []byte("GET /patients")) || bytes.HasPrefix(p, []byte("GET /results")) ||
		bytes.HasPrefix(p, []byte("POST /orders"))
}

// reset closes the connection with RST in place of FIN.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that is gone already is as good
	}
	c.Close()
}

// draw is the next fault of the server.
func (s *server) draw() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return draw(s.faults)
}
