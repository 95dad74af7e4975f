package server

import (
	"crypto/tls"
	"net"
	"sync/atomic"
)

// adminListener is the TCP listener of operators. Whether it speaks TLS is asked
// for each connection, so that a reload can change it without closing the port.
type adminListener struct {
	net.Listener
	tls atomic.Pointer[tls.Config] // nil: plain
}

// serveTLS lets new connections speak TLS with cert, or no TLS for nil.
func (l *adminListener) serveTLS(cert *certFile) {
	if cert == nil {
		l.tls.Store(nil)
		return
	}
	l.tls.Store(cert.config())
}

func (l *adminListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if cfg := l.tls.Load(); cfg != nil {
		return tls.Server(conn, cfg), nil
	}
	return conn, nil
}
