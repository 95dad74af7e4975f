package std

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// wire counts what goes over a connection: net/http does not tell how far a
// request got, the bytes do.
type wire struct {
	net.Conn
	t       *Transport
	written atomic.Int64
	read    atomic.Int64
	once    sync.Once
}

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.read.Add(int64(n))
	return n, err
}

// Write implements io.Writer.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.written.Add(int64(n))
	return n, err
}

// Close implements io.Closer.
func (w *wire) Close() error {
	w.once.Do(func() { w.t.open.Add(-1) })
	return w.Conn.Close()
}

// CloseWrite closes the direction to the server.
func (w *wire) CloseWrite() error {
	if cw, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// wireOf finds the wire under what net/http says is the connection.
func wireOf(c net.Conn) *wire {
	if tap, ok := c.(*tap); ok {
		c = tap.Conn
	}
	if tc, ok := c.(*tls.Conn); ok {
		c = tc.NetConn()
	}
	w, _ := c.(*wire)
	return w
}
