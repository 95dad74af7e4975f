package config

import (
	"fmt"
	"net/url"
	"strings"
)

func (k *checker) origin(at, name string, o *Origin) {
	if !plainName.MatchString(name) {
		k.badName(at, "a name is made of letters, digits, \"-\" and \"_\", 64 at most")
	}
	schemes := k.servers(at+".servers", o.Servers)
	switch {
	case o.Transport == "h2" && (schemes["http"] || schemes["unix"]):
		k.bad(at+".transport", "h2 needs https:// servers; without TLS it is h2c")
	case o.Transport == "h2c" && schemes["https"]:
		k.bad(at+".transport", "h2c is without TLS; https:// servers need h2")
	}
	k.serverTLS(at+".tls", &o.TLS, schemes["https"])
	if o.Host != "preserve" && o.Host != "server" {
		normal, ok := authority(o.Host)
		if !ok {
			k.bad(at+".host", "%q is neither preserve, server nor a host name", o.Host)
		}
		o.Host = normal
	}
	k.balance(at+".balance", o.Balance)
	if o.Sticky != nil && !isToken(o.Sticky.Cookie) {
		k.bad(at+".sticky.cookie", "%q is not the name of a cookie", o.Sticky.Cookie)
	}
	k.health(at+".health", &o.Health)
	for _, f := range retryFindings(o.Retry) {
		k.tell(at+".retry", f)
	}
}

// servers brings the urls to normal form and returns the schemes among them.
func (k *checker) servers(at string, list []*Server) (schemes map[string]bool) {
	first := map[string]string{}
	schemes = map[string]bool{}
	serving := false
	for i, s := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		serving = serving || s.State == "up"
		a, problem := parseAddress(s.URL)
		if problem != "" {
			k.bad(where+".url", "%q %s", withoutPassword(s.URL), problem)
			continue
		}
		if a.Scheme == "unix" {
			if a.Socket = k.absolute(a.Socket); len(a.Socket) > longestSocket {
				k.bad(where+".url", "%q is longer than the %d bytes that the system allows for a socket", a.Socket, longestSocket)
			}
		}
		s.URL = a.String()
		if other, ok := first[s.URL]; ok {
			k.bad(where+".url", "%s is already %s", s.URL, other)
			continue
		}
		first[s.URL] = where
		schemes[a.Scheme] = true
	}
	if len(list) > 0 && !serving && k.whole(at) {
		k.warn(at, "none of them has state up: no request is served until one has")
	}
	return schemes
}

// withoutPassword is fit for a message.
func withoutPassword(s string) string {
	if u, err := url.Parse(s); err == nil && u.User != nil {
		return u.Redacted()
	}
	if i := strings.LastIndex(s, "@"); i >= 0 {
		return "***" + s[i:]
	}
	return s
}

func (k *checker) serverTLS(at string, t *ServerTLS, used bool) {
	if t.SNI != "" {
		normal, ok := hostName(t.SNI)
		if !ok {
			k.bad(at+".sni", "%q is not a host name", t.SNI)
		}
		t.SNI = strings.Trim(normal, "[]")
	}
	if (t.Cert == "") != (t.Key == "") && k.whole(at) {
		k.bad(at, "cert and key go together")
	}
	if *t != (ServerTLS{}) && !used && k.whole(parent(at)) {
		k.bad(at, "has no use: no server is https://")
	}
	if t.Insecure {
		k.warn(at+".insecure", "any certificate of the servers is trusted; whoever is between them and this machine can read and change everything")
		if t.CA != "" {
			k.bad(at+".ca", "has no use beside insecure")
		}
	}
}

func (k *checker) balance(at string, b Balance) {
	kind, name, named := strings.Cut(b.Key, ":")
	if b.Key != "client" && !(named && (kind == "header" || kind == "cookie") && isToken(name)) {
		k.bad(at+".key", "%q is none of client, header:NAME, cookie:NAME", b.Key)
	}
	if k.given(at+".key") && b.Policy != "hash" && k.whole(at) {
		k.warn(at+".key", "has no use: the policy is %s, not hash", b.Policy)
	}
}

func (k *checker) health(at string, h *Health) {
	k.statuses(at+".fail_statuses", h.FailStatuses, 400)
	for i, s := range h.FailStatuses {
		if s == 403 || s == 404 {
			k.bad(fmt.Sprintf("%s.fail_statuses[%d]", at, i), "%d never counts as a failure of a server: visitors can ask for it as often as they like", s)
		}
	}
	if h.Eject.Max < h.Eject.Base {
		k.bad(at+".eject.max", "is shorter than base (%s)", h.Eject.Base)
	}
	a := h.Active
	if a == nil {
		return
	}
	at += ".active"
	if u, err := url.ParseRequestURI(a.Path); err != nil || !strings.HasPrefix(a.Path, "/") || u.Fragment != "" || strings.ContainsAny(a.Path, "# \\") || !isASCII(a.Path) {
		k.bad(at+".path", "%q is not a path and query as they are sent: it begins with \"/\", and what is special is percent-encoded", a.Path)
	}
	k.statuses(at+".statuses", a.Statuses, 200)
	if a.Host != "" {
		normal, ok := authority(a.Host)
		if !ok {
			k.bad(at+".host", "%q is not a host name", a.Host)
		}
		a.Host = normal
	}
	if k.given(at+".timeout") && a.Timeout > a.Interval && k.whole(at) {
		k.warn(at+".timeout", "is longer than interval (%s): a server that hangs is asked less often", a.Interval)
	}
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 })
}
