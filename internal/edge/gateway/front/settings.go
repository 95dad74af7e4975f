package front

import (
	"crypto/tls"
	"net/netip"
	"reflect"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// settings are the parts of a configuration that a connection lives by. They
// never change; a reload makes new ones for the connections that come then.
type settings struct {
	tls         *tls.Config // nil: no https listener
	clientCerts bool        // visitors are asked for certificates
	http3       bool

	limits       config.Limits
	proxyFrom    []config.Prefix // must send a PROXY header
	proxyTimeout time.Duration
	exempt       []config.Prefix // without a limit per address
}

func settingsOf(cfg *config.Config, conf *tls.Config) *settings {
	s := &settings{
		tls:          conf,
		clientCerts:  cfg.TLS.ClientCerts.Mode == "request" || cfg.TLS.ClientCerts.Mode == "require",
		http3:        cfg.Listen.HTTP3,
		limits:       cfg.Limits,
		proxyFrom:    cfg.Listen.ProxyProtocol.From,
		proxyTimeout: cfg.Listen.ProxyProtocol.Timeout.D(),
	}
	s.exempt = append(s.exempt, cfg.Limits.ConnectionsExempt...)
	s.exempt = append(s.exempt, cfg.TrustedProxies...)
	return s
}

// same reports whether a connection would notice no difference.
func (s *settings) same(other *settings) bool {
	return s.tls == other.tls && reflect.DeepEqual(s.withoutTLS(), other.withoutTLS())
}

func (s *settings) withoutTLS() settings {
	plain := *s
	plain.tls = nil
	return plain
}

// within reports whether a is in one of the networks.
func within(networks []config.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
