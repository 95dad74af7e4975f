package h1_test

import (
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/h1"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

func TestTransport_KeepsTheContract(t *testing.T) {
	upstreamtest.Exercise(t, func(_ testing.TB, c upstreamtest.Config) upstream.Transport {
		return h1.New(h1.Options{
			Network: c.Network, Address: c.Address, TLS: c.TLS, DialTimeout: 2 * time.Second,
			MaxOpen: c.MaxOpen, MaxIdle: 1000, IdleTimeout: c.IdleTimeout, MaxAge: 10 * time.Minute, ProbeAfter: c.ProbeAfter,
			ResponseHeaderBytes: int64(c.HeaderBytes), ResponseHeaderFields: c.HeaderFields,
		})
	}, upstreamtest.Traits{IdleBytes: 4 << 10, Strict: true})
}
