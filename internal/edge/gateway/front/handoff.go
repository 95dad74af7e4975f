package front

import (
	"net"
	"sync"
)

// handoff is the listener of an http.Server whose connections are brought to
// it, so that sockets outlive servers. Delivery is synchronous: a connection is
// either taken by the server or still the caller's.
type handoff struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newHandoff() *handoff {
	return &handoff{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// deliver waits until the server takes c. It reports false when the server
// takes no more; c is then still the caller's.
func (h *handoff) deliver(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// isClosed reports whether Close has been called.
func (h *handoff) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// Accept returns the next connection, or net.ErrClosed after Close.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept and deliver return. It never fails.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is a name: where connections really arrive is in their LocalAddr.
func (h *handoff) Addr() net.Addr { return handoffAddr{} }

type handoffAddr struct{}

func (handoffAddr) Network() string { return "tcp" }
func (handoffAddr) String() string  { return "front" }
