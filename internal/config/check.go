package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/idna"

	"go.yaml.in/yaml/v3"
)

// checker holds a file that could be read against the rules that no single key
// can tell, and brings names to their normal form.
type checker struct {
	*reader
	cfg      *Config
	warnings []Warning
}

// bad notes a problem at path.
func (k *checker) bad(path, format string, args ...any) {
	k.problem(k.node(path), path, format, args...)
}

func (k *checker) warn(path, format string, args ...any) {
	w := Warning{File: k.file, Path: path, Message: fmt.Sprintf(format, args...)}
	if n := k.node(path); n != nil {
		w.Line, w.Column = n.Line, n.Column
	}
	k.warnings = append(k.warnings, w)
}

// node is where path stands, or the nearest block around it.
func (k *checker) node(p string) *yaml.Node {
	for {
		if n := k.at[p]; n != nil {
			return n
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return k.at[""]
		}
		p = p[:i]
	}
}

func (k *checker) check() {
	c := k.cfg
	c.Node.DataDir = k.absolute(c.Node.DataDir)
	if c.Replay.SpillDir == "" {
		c.Replay.SpillDir = path.Join(c.Node.DataDir, "spill")
	}
	k.listen()
	k.tls()
	for name, o := range c.Origins {
		k.origin("origins."+name, name, o)
	}
	k.sites()
}

func (k *checker) listen() {
	l := &k.cfg.Listen
	if len(l.HTTP) == 0 && len(l.HTTPS) == 0 {
		k.bad("listen", "no address for visitors; set http, https or both")
	}
	seen := map[string]string{}
	one := func(at, address string) {
		host, port, err := net.SplitHostPort(address)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || n < 0 || n > 65535 {
			k.bad(at, "%q is not an address; write \":port\" or \"host:port\"", address)
			return
		}
		if host != "" && host != "localhost" {
			if _, err := netip.ParseAddr(host); err != nil {
				k.bad(at, "%q: the host must be an IP address of this machine, or empty for all", address)
			}
		}
		if first, ok := seen[address]; ok && n != 0 {
			k.bad(at, "%s is already used by %s", address, first)
		}
		seen[address] = at
	}
	list := func(at string, addresses StringList) {
		for i, a := range addresses {
			if len(addresses) > 1 {
				one(fmt.Sprintf("%s[%d]", at, i), a)
			} else {
				one(at, a)
			}
		}
	}
	list("listen.http", l.HTTP)
	list("listen.https", l.HTTPS)
	if l.Admin != "" {
		one("listen.admin", l.Admin)
	}
	if l.HTTP3 && len(l.HTTPS) == 0 {
		k.bad("listen.http3", "needs listen.https")
	}
}

func (k *checker) tls() {
	t := &k.cfg.TLS
	secure := len(k.cfg.Listen.HTTPS) > 0
	if secure && t.ACME == nil && !t.Local && len(t.Files) == 0 {
		k.bad("listen.https", "has no certificate; set tls.files, tls.acme or tls.local")
	}
	if t.ACME != nil && t.Local {
		k.bad("tls.local", "cannot stand beside tls.acme; keep one")
	}
	if t.ACME != nil {
		if !secure {
			k.bad("tls.acme", "needs listen.https")
		}
		if t.ACME.Directory != "" {
			if u, err := url.Parse(t.ACME.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
				k.bad("tls.acme.directory", "%q is not an https:// address", t.ACME.Directory)
			}
		}
		if len(t.ACME.Challenges) == 0 {
			k.bad("tls.acme.challenges", "must name at least one")
		}
		if slices.Equal(t.ACME.Challenges, []string{"http-01"}) && len(k.cfg.Listen.HTTP) == 0 {
			k.bad("tls.acme.challenges", "http-01 alone needs listen.http")
		}
	}
	if t.ClientCerts.Mode != "off" {
		if !secure {
			k.bad("tls.client_certs.mode", "needs listen.https")
		}
		if t.ClientCerts.CA == "" {
			k.bad("tls.client_certs.ca", "is missing; without it no client certificate can be checked")
		}
	}
}

func (k *checker) origin(at, name string, o *Origin) {
	if !plainName.MatchString(name) {
		k.bad(at, "a name is made of letters, digits, \"-\" and \"_\", 64 at most")
	}
	seen := map[string]bool{}
	schemes := map[string]bool{}
	for i, s := range o.Servers {
		where := fmt.Sprintf("%s.servers[%d]", at, i)
		scheme, normal, err := serverURL(s.URL)
		if err != "" {
			k.bad(where+".url", "%q %s", s.URL, err)
			continue
		}
		if scheme == "unix" {
			normal = "unix:" + k.absolute(strings.TrimPrefix(normal, "unix:"))
		}
		s.URL = normal
		if seen[normal] {
			k.bad(where+".url", "%s stands twice in this origin", normal)
		}
		seen[normal] = true
		schemes[scheme] = true
	}
	switch o.Transport {
	case "h2":
		if schemes["http"] || schemes["unix"] {
			k.bad(at+".transport", "h2 needs https:// servers; without TLS it is h2c")
		}
	case "h2c":
		if schemes["https"] {
			k.bad(at+".transport", "h2c is without TLS; https:// servers need h2")
		}
	}
	if (o.TLS.Cert == "") != (o.TLS.Key == "") {
		k.bad(at+".tls", "cert and key go together")
	}
	if o.TLS != (ServerTLS{}) && !schemes["https"] {
		k.bad(at+".tls", "has no use: no server is https://")
	}
	if o.TLS.Insecure {
		k.warn(at+".tls.insecure", "any certificate of the servers is trusted; whoever is between them and this machine can read and change everything")
	}
	if o.Host != "preserve" && o.Host != "server" && !validAuthority(o.Host) {
		k.bad(at+".host", "%q is neither preserve, server nor a host name", o.Host)
	}
	k.balance(at, o)
	if o.Sticky != nil && !httpguts.ValidHeaderFieldName(o.Sticky.Cookie) {
		k.bad(at+".sticky.cookie", "%q is not a cookie's name", o.Sticky.Cookie)
	}
	k.statuses(at+".health.fail_statuses", o.Health.FailStatuses)
	if a := o.Health.Active; a != nil {
		if !strings.HasPrefix(a.Path, "/") || strings.ContainsAny(a.Path, " \r\n\t") {
			k.bad(at+".health.active.path", "%q must begin with \"/\" and hold no space", a.Path)
		}
		k.statuses(at+".health.active.statuses", a.Statuses)
		if a.Host != "" && !validAuthority(a.Host) {
			k.bad(at+".health.active.host", "%q is not a host name", a.Host)
		}
	}
	if o.Health.Eject.Max < o.Health.Eject.Base {
		k.bad(at+".health.eject.max", "is shorter than base (%s)", o.Health.Eject.Base)
	}
	k.retry(at+".retry", o.Retry)
}

func (k *checker) balance(at string, o *Origin) {
	kind, name, ok := strings.Cut(o.Balance.Key, ":")
	switch {
	case o.Balance.Key == "client":
	case ok && (kind == "header" || kind == "cookie") && httpguts.ValidHeaderFieldName(name):
	default:
		k.bad(at+".balance.key", "%q is none of client, header:NAME, cookie:NAME", o.Balance.Key)
	}
}

func (k *checker) statuses(at string, list []int) {
	for i, s := range list {
		if s < 100 || s > 599 {
			k.bad(fmt.Sprintf("%s[%d]", at, i), "%d is not a status, 100 to 599", s)
		}
	}
}

func (k *checker) retry(at string, r Retry) {
	k.statuses(at+".statuses", r.Statuses)
	if r.TryTimeout > r.Timeout {
		k.bad(at+".try_timeout", "is longer than timeout (%s), the time for all attempts", r.Timeout)
	}
	if r.MinTry > r.Timeout {
		k.bad(at+".min_try", "is longer than timeout (%s): nothing would ever be tried again", r.Timeout)
	}
	if r.Backoff.Max < r.Backoff.Base {
		k.bad(at+".backoff.max", "is shorter than base (%s)", r.Backoff.Base)
	}
	if !httpguts.ValidHeaderFieldName(r.NotProcessedHeader) {
		k.bad(at+".not_processed_header", "%q is not a header's name", r.NotProcessedHeader)
	}
	if len(r.NonIdempotent) > 0 {
		k.warn(at+".non_idempotent", "a POST may be applied twice: a connection cut short, or a 502, 503 or 504, may mean \"done, but slow\"; use it only where the application can bear that")
	}
	if r.Idempotent {
		k.warn(at+".idempotent", "every POST may be sent twice: true only if the application itself takes care of repeats")
	}
}

// plainName is what names of origins look like: they stand in metrics and in levers.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// serverURL brings the address of a server to its normal form; problem says
// what is wrong with it.
func serverURL(s string) (scheme, normal, problem string) {
	if socket, ok := strings.CutPrefix(s, "unix:"); ok {
		if socket == "" || strings.HasPrefix(socket, "//") && len(socket) == 2 {
			return "", "", "names no socket; write unix:/path/socket"
		}
		return "unix", "unix:" + strings.TrimPrefix(socket, "//"), ""
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return "", "", "is not a server; write http://host:port, https://host:port or unix:/path/socket"
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return "", "", "must be scheme, host and port only; paths are changed by the route (rewrite)"
	}
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", "", "has no valid port"
	}
	return u.Scheme, u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port), ""
}

// validAuthority reports whether s is a host name or address, with or without port.
func validAuthority(s string) bool {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return false
		}
		host = h
	}
	_, ok := hostName(host)
	return ok
}

var label = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// hostName is s in the normal form that requests are compared with: lower case,
// punycode, no dot at the end.
func hostName(s string) (string, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && a.Zone() == "" {
		return a.String(), true
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil {
		ascii = strings.ToLower(strings.TrimSuffix(s, "."))
	}
	if ascii == "" || len(ascii) > 253 {
		return "", false
	}
	for l := range strings.SplitSeq(ascii, ".") {
		if !label.MatchString(l) {
			return "", false
		}
	}
	return ascii, true
}
