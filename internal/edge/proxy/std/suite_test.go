package std_test

import (
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/std"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

func TestTransport_KeepsTheContract(t *testing.T) {
	upstreamtest.Exercise(t, func(tb testing.TB, c upstreamtest.Config) upstream.Transport {
		tr, err := std.New(std.Options{
			Network: c.Network, Address: c.Address, TLS: c.TLS, DialTimeout: 2 * time.Second,
			MaxOpen: c.MaxOpen, MaxIdle: 1000, IdleTimeout: c.IdleTimeout,
			ResponseHeaderBytes: int64(c.HeaderBytes), ResponseHeaderFields: c.HeaderFields,
		})
		if err != nil {
			tb.Fatal(err)
		}
		return tr
	}, upstreamtest.Traits{})
}
