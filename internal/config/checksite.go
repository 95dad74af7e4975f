package config

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// oneYear is what browsers' built-in lists ask for (hstspreload.org).
const oneYear = Duration(365 * 24 * 3600 * 1e9)

func (k *checker) sites() {
	hosts := map[string]string{}
	for i, s := range k.cfg.Sites {
		at := fmt.Sprintf("sites[%d]", i)
		k.hosts(at+".hosts", s.Hosts, hosts, true)
		k.hosts(at+".redirect_from", s.RedirectFrom, hosts, false)
		if len(s.RedirectFrom) > 0 && len(s.Hosts) > 0 && strings.HasPrefix(s.Hosts[0], "*") {
			k.bad(at+".redirect_from", "has nowhere to go: the first of hosts is a pattern")
		}
		k.hsts(at+".hsts", s)
		k.headers(at+".headers", s.Headers)
		k.compress(at+".compress", &s.Compress)
		k.pages(at+".pages", s)
		k.routes(at+".routes", s)
	}
}

// hosts brings a list of names to normal form and finds those already taken.
func (k *checker) hosts(at string, list []string, taken map[string]string, patterns bool) {
	for i, h := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		normal, ok := hostPattern(h, patterns)
		if !ok {
			k.bad(where, "%q is not a host name; write one such as www.example.org, without port or path", h)
			continue
		}
		list[i] = normal
		if first, ok := taken[list[i]]; ok {
			k.bad(where, "%s is already %s", list[i], first)
			continue
		}
		taken[list[i]] = where
	}
}

// hostPattern is h in normal form, a host name or, with patterns, "*.name" or "*".
func hostPattern(h string, patterns bool) (string, bool) {
	if patterns && h == "*" {
		return h, true
	}
	if rest, ok := strings.CutPrefix(h, "*."); ok && patterns {
		name, ok := hostName(rest)
		return "*." + name, ok && !isAddress(name)
	}
	return hostName(h)
}

func (k *checker) hsts(at string, s *Site) {
	h := s.HSTS
	switch {
	case h.MaxAge > 0 && len(k.cfg.Listen.HTTPS) == 0:
		if k.whole("listen") {
			k.bad(at, "needs listen.https")
		}
	case h.MaxAge == 0 && (h.Subdomains || h.Preload):
		if k.whole(at) {
			k.bad(at, "is not sent: max_age is 0")
		}
	case h.Preload && (!h.Subdomains || h.MaxAge < oneYear):
		k.warn(at+".preload", "browsers' lists take a name only with subdomains and a max_age of 8760h or more")
	}
}

// pages gives s its own pages over those of the file.
func (k *checker) pages(at string, s *Site) {
	if s.Pages == nil {
		s.Pages = &k.cfg.Pages
	} else if !k.given(at + ".template") {
		s.Pages.Template = k.cfg.Pages.Template
	}
	if !k.given(at + ".template") {
		k.derived(at+".template", "pages.template", "")
	}
}

// framing are the fields that belong to one connection, or to the transports.
var framing = []string{"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "expect"}

func (k *checker) headers(at string, h Headers) {
	k.headerChange(at+".request", h.Request)
	k.headerChange(at+".response", h.Response)
}

func (k *checker) headerChange(at string, c HeaderChange) {
	check := func(where, name, value string) bool {
		switch {
		case !isToken(name):
			k.badName(where, "%q is not the name of a header", name)
		case slices.Contains(framing, strings.ToLower(name)):
			k.badName(where, "%s belongs to the connection and cannot be changed%s", name, hostHint(name))
		case !httpguts.ValidHeaderFieldValue(value):
			k.bad(where, "the value holds a line end or control character")
		default:
			return true
		}
		return false
	}
	k.fields(at+".set", c.Set, check)
	k.fields(at+".add", c.Add, check)
	seen := map[string]bool{}
	for i, name := range c.Remove {
		where := fmt.Sprintf("%s.remove[%d]", at, i)
		if !k.readable(where) || !check(where, name, "") {
			continue
		}
		canonical := http.CanonicalHeaderKey(name)
		if seen[canonical] {
			k.bad(where, "%s stands twice; keep one", canonical)
		}
		seen[canonical] = true
	}
}

// fields checks names and values, and finds names that differ only in case.
func (k *checker) fields(at string, m map[string]HeaderValue, check func(where, name, value string) bool) {
	first := map[string]string{}
	for _, name := range sortedKeys(m) {
		where := at + "." + name
		v := m[name]
		if isSensitive(name) {
			v.open = false
			m[name] = v
		}
		if !check(where, name, v.Reveal()) {
			continue
		}
		canonical := http.CanonicalHeaderKey(name)
		if other, ok := first[canonical]; ok {
			k.badName(where, "is the same header as %s; keep one", other)
		}
		first[canonical] = name
	}
}

func hostHint(name string) string {
	if strings.EqualFold(name, "host") {
		return "; see origins.NAME.host"
	}
	return ""
}

func (k *checker) compress(at string, c *Compress) {
	for i, t := range c.Types {
		major, minor, ok := strings.Cut(t, "/")
		if !ok || !isToken(major) || major == "*" || (minor != "*" && (!isToken(minor) || strings.Contains(minor, "*"))) {
			k.bad(fmt.Sprintf("%s.types[%d]", at, i), "%q is not a content type such as text/html or text/*", t)
		}
		c.Types[i] = strings.ToLower(t)
	}
	if c.On && len(c.Types) == 0 && k.whole(at) {
		k.bad(at+".types", "is empty; write on: false to compress nothing")
	}
}
