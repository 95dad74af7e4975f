package h1

import (
	"errors"
	"net"
	"sync"
)

// tunnel is a connection after 101, owned by the caller. It reads first what
// came together with the response's head.
type tunnel struct {
	net.Conn
	t    *Transport
	c    *conn
	rest []byte
	once sync.Once
}

// Read implements io.Reader.
func (t *tunnel) Read(p []byte) (int, error) {
	if len(t.rest) > 0 {
		n := copy(p, t.rest)
		t.rest = t.rest[n:]
		return n, nil
	}
	return t.Conn.Read(p)
}

// CloseWrite tells the server that nothing more comes; what it sends can still
// be read. errors.ErrUnsupported if the network has no such thing.
func (t *tunnel) CloseWrite() error {
	if cw, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements io.Closer.
func (t *tunnel) Close() error {
	t.once.Do(func() { t.t.discard(t.c) })
	return nil
}
