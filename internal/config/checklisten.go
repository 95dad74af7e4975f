package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// binding is one listening address of the file.
type binding struct {
	at   string     // its path
	text string     // as it stands in the file
	ip   netip.Addr // the zero value: all addresses of the machine
	port int
}

// overlaps reports whether only one of the two can listen.
func (b binding) overlaps(other binding) bool {
	all := func(a netip.Addr) bool { return !a.IsValid() || a.IsUnspecified() }
	return b.port != 0 && b.port == other.port && (b.ip == other.ip || all(b.ip) || all(other.ip))
}

// parseBinding reads "host:port" or ":port".
func parseBinding(s string) (b binding, problem string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return binding{}, "is not an address; write \":port\" or \"host:port\""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return binding{}, "is not an address; the port is a number up to 65535"
	}
	b = binding{text: s, port: int(n)}
	switch host {
	case "":
	case "localhost":
		b.ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		if b.ip, err = netip.ParseAddr(host); err != nil {
			return binding{}, "names a host; it must be an IP address of this machine, or empty for all"
		}
		b.ip = b.ip.Unmap()
	}
	return b, ""
}

func (k *checker) listen() {
	l := &k.cfg.Listen
	if len(l.HTTP) == 0 && len(l.HTTPS) == 0 && k.whole("listen") {
		k.bad("listen", "no address for visitors; set http, https or both")
	}
	var all []binding
	one := func(at, address string) (binding, bool) {
		b, problem := parseBinding(address)
		if problem != "" {
			k.bad(at, "%q %s", address, problem)
			return b, false
		}
		b.at = at
		if i := slices.IndexFunc(all, b.overlaps); i >= 0 {
			k.bad(at, "%s is already taken by %s (%s)", address, all[i].at, all[i].text)
		}
		all = append(all, b)
		return b, true
	}
	list := func(at string, addresses StringList) {
		for i, a := range addresses {
			where := fmt.Sprintf("%s[%d]", at, i)
			if k.at[where] == nil { // a plain string, not a list
				where = at
			}
			one(where, a)
		}
	}
	list("listen.http", l.HTTP)
	list("listen.https", l.HTTPS)
	if l.Admin != "" {
		b, ok := one("listen.admin", l.Admin)
		k.admin(b, ok)
	} else {
		k.admin(binding{}, false)
		if l.Pprof {
			k.bad("listen.pprof", "needs listen.admin")
		}
	}
	if l.HTTP3 && len(l.HTTPS) == 0 && k.whole("listen.https") {
		k.bad("listen.http3", "needs listen.https")
	}
	for i, p := range l.ProxyProtocol.From {
		if p.Bits() == 0 && p.IsValid() {
			k.warn(fmt.Sprintf("listen.proxy_protocol.from[%d]", i), "trusts everybody: any visitor can claim to be any other")
		}
	}
}

func (k *checker) tls() {
	t := &k.cfg.TLS
	secure := len(k.cfg.Listen.HTTPS) > 0
	known := k.whole("listen", "tls")
	if known && secure && t.ACME == nil && !t.Local && len(t.Files) == 0 {
		k.bad("listen.https", "has no certificate; set tls.files, tls.acme or tls.local")
	}
	if known && !secure {
		for _, key := range []string{"tls.acme", "tls.client_certs.mode"} {
			if k.given(key) && !(key == "tls.client_certs.mode" && t.ClientCerts.Mode == "off") {
				k.bad(key, "needs listen.https")
			}
		}
		for _, key := range []string{"tls.files", "tls.local"} {
			if k.given(key) {
				k.warn(key, "has no use without listen.https")
			}
		}
	}
	if t.ACME != nil && t.Local {
		k.bad("tls.local", "cannot stand beside tls.acme; keep one")
	}
	seen := map[CertFile]bool{}
	for i, f := range t.Files {
		if seen[f] {
			k.bad(fmt.Sprintf("tls.files[%d]", i), "stands twice; keep one")
		}
		seen[f] = true
	}
	if t.ACME != nil {
		k.acme(t.ACME)
	}
	mode := t.ClientCerts.Mode
	if mode != "off" && t.ClientCerts.CA == "" && k.whole("tls.client_certs") {
		k.bad("tls.client_certs.ca", "is missing; without it no client certificate can be checked")
	}
	if mode == "off" && t.ClientCerts.CA != "" && k.whole("tls.client_certs") {
		k.warn("tls.client_certs.ca", "has no use while mode is off: nobody is asked for a certificate")
	}
}

func (k *checker) acme(a *ACME) {
	if a.Email != "" {
		if m, err := mail.ParseAddress(a.Email); err != nil || m.Address != a.Email {
			k.bad("tls.acme.email", "%q is not an e-mail address", a.Email)
		}
	}
	if a.Directory != "" {
		if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			k.bad("tls.acme.directory", "%q is not an https:// address", withoutPassword(a.Directory))
		}
	}
	if len(a.Challenges) == 0 {
		k.bad("tls.acme.challenges", "must name at least one of http-01, tls-alpn-01")
	}
	if slices.Equal(a.Challenges, []string{"http-01"}) && len(k.cfg.Listen.HTTP) == 0 && k.whole("listen") {
		k.bad("tls.acme.challenges", "http-01 is answered on plain HTTP; set listen.http, or allow tls-alpn-01")
	}
	if k.whole("listen") {
		k.mapped("tls.acme.http_port", a.HTTPPort, "listen.http", k.cfg.Listen.HTTP)
		k.mapped("tls.acme.tls_port", a.TLSPort, "listen.https", k.cfg.Listen.HTTPS)
	}
	if len(k.cfg.TLS.Files) > 0 || !k.whole("sites", "tls") {
		return
	}
	named := false
	for i, s := range k.cfg.Sites {
		for j, h := range s.Hosts {
			at := fmt.Sprintf("sites[%d].hosts[%d]", i, j)
			switch {
			case h == "*":
				k.warn(at, "visitors of names that stand in no other site get no certificate: ACME needs to know the names")
			case strings.HasPrefix(h, "*."):
				k.bad(at, "no ACME certificate can be had for a pattern with these challenges; name the hosts, or give the certificate in tls.files")
				named = true // a pattern that was told is enough
			default:
				named = true
			}
		}
	}
	if !named && len(k.cfg.Sites) > 0 {
		k.bad("tls.acme", "has no name to ask a certificate for; name the hosts of a site")
	}
}

// mapped checks a port to which a public one is mapped: one of addresses must
// have it, as challenges are answered there and nowhere else.
func (k *checker) mapped(at string, port int, list string, addresses StringList) {
	if port != 0 && !slices.ContainsFunc(addresses, func(a string) bool {
		b, problem := parseBinding(a)
		return problem == "" && (b.port == port || b.port == 0)
	}) {
		k.bad(at, "nothing listens on port %d; challenges are answered on the addresses of %s", port, list)
	}
}
