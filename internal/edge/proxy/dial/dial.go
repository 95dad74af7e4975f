// Package dial gives each server of an origin the transport that its
// configuration names: it is the one place that knows both of them, so that
// origins can be tested without a network and transports without an origin.
package dial

import (
	"fmt"

	"github.com/evergate/evergate/internal/edge/proxy/h1"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/std"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// Transport builds the transport for s; it is what origin.Options.NewTransport
// asks for. It does not connect. The error names a kind that there is not, or a
// setting that the transport refuses.
func Transport(s origin.TransportSpec) (upstream.Transport, error) {
	switch s.Kind {
	case "lean":
		return h1.New(h1.Options{
			Network: s.Network, Address: s.Address, TLS: s.TLS, DialTimeout: s.DialTimeout,
			MaxOpen: s.MaxOpen, MaxIdle: s.MaxIdle, IdleTimeout: s.IdleTimeout, MaxAge: s.MaxAge, ProbeAfter: s.ProbeAfter,
			ResponseHeaderBytes: int64(s.HeaderBytes), ResponseHeaderFields: s.HeaderFields,
		}), nil
	case std.HTTP1, std.H2, std.H2C:
		t, err := std.New(std.Options{
			Mode: s.Kind, Network: s.Network, Address: s.Address, TLS: s.TLS, DialTimeout: s.DialTimeout,
			MaxOpen: s.MaxOpen, MaxIdle: s.MaxIdle, IdleTimeout: s.IdleTimeout,
			ResponseHeaderBytes: int64(s.HeaderBytes), ResponseHeaderFields: s.HeaderFields,
		})
		if err != nil {
			return nil, fmt.Errorf("build transport to %s: %w", s.Address, err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("build transport to %s: no transport %q", s.Address, s.Kind)
}
