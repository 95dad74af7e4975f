package origin

import (
	"crypto/tls"
	"time"
)

// TransportSpec says which transport a server needs. The origin makes it; a
// factory (Options.NewTransport) builds the transport that Kind names.
type TransportSpec struct {
	Kind    string // "lean", "std", "h2" or "h2c"
	Network string // "tcp" or "unix"
	Address string // "ip:port", or the socket's path

	// TLS is nil for plain connections. It is the transport's own: it may change
	// it (ALPN). ServerName is set, and certificates are checked by it or its
	// VerifyConnection.
	TLS *tls.Config

	DialTimeout time.Duration // TLS included
	MaxOpen     int           // connections, 0: unlimited
	MaxIdle     int           // idle connections kept
	IdleTimeout time.Duration // for which an idle connection is kept
	MaxAge      time.Duration // after which a connection is not used again; 0: none
	ProbeAfter  time.Duration // idle time after which a connection is tested before use

	HeaderBytes  int // largest response header
	HeaderFields int // most response header fields
}
