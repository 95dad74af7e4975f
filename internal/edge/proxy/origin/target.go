package origin

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

// target is a server as configured. One with a host name stands for as many
// servers as the name has addresses.
type target struct {
	cfg    *config.Server
	origin *config.Origin

	name    string      // as in the url: "host:port" or "unix:/path"
	network string      // "tcp" or "unix"
	host    string      // name or address without port; "" for unix
	port    string      // "" for unix
	address string      // ready to dial; "" while host must be resolved
	own     string      // the server's own Host value
	tls     *tls.Config // nil: plain

	order  order // levers: the group's lock guards them
	weight int   // 1 or more
}

// newTarget reads a configured server. The error says what is wrong with its
// url or with the files of tls.
func newTarget(cfg *config.Server, origin *config.Origin) (*target, error) {
	t := &target{cfg: cfg, origin: origin, weight: max(cfg.Weight, 1), order: order{why: "configured so"}}
	t.order.state, _ = orderOf(cfg.State)
	if path, ok := strings.CutPrefix(cfg.URL, "unix:"); ok {
		if path == "" {
			return nil, fmt.Errorf("server %q: no path after unix:", cfg.URL)
		}
		t.name, t.network, t.address, t.own = cfg.URL, "unix", path, "localhost"
		if origin.Transport == "h2" {
			return nil, fmt.Errorf("server %q: transport h2 needs https; h2c works without", cfg.URL)
		}
		return t, nil
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", cfg.URL, err)
	}
	ports := map[string]string{"http": "80", "https": "443"}
	if ports[u.Scheme] == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("server %q: want http://host:port, https://host:port or unix:/path", cfg.URL)
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("server %q: a server has no path, query or user; a route may rewrite the path", cfg.URL)
	}
	t.network, t.host, t.own = "tcp", u.Hostname(), u.Host
	t.port = cmp.Or(u.Port(), ports[u.Scheme])
	t.name = net.JoinHostPort(t.host, t.port)
	if t.port == ports[u.Scheme] {
		t.own = strings.TrimSuffix(u.Host, ":"+t.port)
	}
	if _, err := netip.ParseAddr(t.host); err == nil {
		t.address = t.name
	}
	switch {
	case u.Scheme == "https" && origin.Transport == "h2c":
		return nil, fmt.Errorf("server %q: transport h2c is without TLS; use h2", cfg.URL)
	case u.Scheme == "http" && origin.Transport == "h2":
		return nil, fmt.Errorf("server %q: transport h2 needs https; h2c works without", cfg.URL)
	case u.Scheme == "https":
		if t.tls, err = newTLS(origin.TLS, t.host); err != nil {
			return nil, fmt.Errorf("server %q: %w", cfg.URL, err)
		}
	}
	return t, nil
}

// place is one server of a target: what it is called and where it is.
type place struct{ name, address string }

// places are the servers that t stands for, given what its host name resolves to.
func (t *target) places(resolved []netip.Addr) []place {
	if t.address != "" {
		return []place{{t.name, t.address}}
	}
	var ps []place
	for _, a := range resolved {
		ps = append(ps, place{t.name + "[" + a.String() + "]", net.JoinHostPort(a.String(), t.port)})
	}
	return ps
}

// identity is the same for two servers when the one may go on as the other
// after a reload: where it is, and how it is spoken to.
func (t *target) identity(p place) string {
	o := t.origin
	return fmt.Sprintf("%s|%s|%t|%+v|%s|%+v|%v|%d|%d", p.name, p.address, t.tls != nil, o.TLS, o.Transport,
		o.Pool, o.DialTimeout, o.ResponseHeaderBytes, o.ResponseHeaderFields)
}

// spec is the transport for address.
func (t *target) spec(address string) TransportSpec {
	o := t.origin
	s := TransportSpec{
		Kind: o.Transport, Network: t.network, Address: address,
		DialTimeout: o.DialTimeout.D(), MaxOpen: o.Pool.MaxOpen, MaxIdle: o.Pool.MaxIdle,
		IdleTimeout: o.Pool.IdleTimeout.D(), MaxAge: o.Pool.MaxAge.D(), ProbeAfter: o.Pool.ProbeAfter.D(),
		HeaderBytes: int(o.ResponseHeaderBytes), HeaderFields: o.ResponseHeaderFields,
	}
	if t.tls != nil {
		s.TLS = t.tls.Clone()
		s.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(tlsSessions)
	}
	return s
}

// checkSpec is the transport for active checks that do not use that of traffic;
// port 0 is the server's own, as it always is on a unix socket.
func (t *target) checkSpec(address string, port int) TransportSpec {
	if host, _, err := net.SplitHostPort(address); err == nil && port != 0 && t.network == "tcp" {
		address = net.JoinHostPort(host, strconv.Itoa(port))
	}
	s := t.spec(address)
	s.MaxOpen, s.MaxIdle = 0, 1
	return s
}

// hostValue is the Host that the server gets; "" for the visitor's own.
func (t *target) hostValue() string {
	switch t.origin.Host {
	case "preserve", "":
		return ""
	case "server":
		return t.own
	}
	return t.origin.Host
}
