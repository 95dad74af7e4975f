package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

func (k *checker) sites() {
	hosts := map[string]string{}
	for i, s := range k.cfg.Sites {
		at := fmt.Sprintf("sites[%d]", i)
		k.hosts(at+".hosts", s.Hosts, hosts, true)
		k.hosts(at+".redirect_from", s.RedirectFrom, hosts, false)
		if len(s.RedirectFrom) > 0 && strings.Contains(s.Hosts[0], "*") {
			k.bad(at+".redirect_from", "has nowhere to go: the first of hosts is a pattern")
		}
		if len(k.cfg.Listen.HTTPS) == 0 && s.HSTS.MaxAge > 0 {
			k.bad(at+".hsts", "needs listen.https")
		}
		k.headers(at+".headers", s.Headers)
		k.compress(at+".compress", &s.Compress)
		if s.Pages == nil {
			s.Pages = &k.cfg.Pages
		}
		k.routes(at, s)
	}
}

// hosts brings a list of names to normal form and finds those already taken.
func (k *checker) hosts(at string, list []string, taken map[string]string, patterns bool) {
	for i, h := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		name, prefix := h, ""
		if patterns && h == "*" {
			name = ""
		} else if rest, ok := strings.CutPrefix(h, "*."); ok && patterns {
			name, prefix = rest, "*."
		}
		if name != "" {
			normal, ok := hostName(name)
			if !ok {
				k.bad(where, "%q is not a host name; write one such as www.example.org, without port or path", h)
				continue
			}
			list[i] = prefix + normal
		}
		if acme := k.cfg.TLS.ACME; acme != nil && strings.HasPrefix(list[i], "*.") && len(k.cfg.TLS.Files) == 0 {
			k.bad(where, "no ACME certificate can be had for a pattern with these challenges; name the hosts, or give the certificate in tls.files")
		}
		if first, ok := taken[list[i]]; ok {
			k.bad(where, "%s is already in %s", list[i], first)
			continue
		}
		taken[list[i]] = where
	}
}

func (k *checker) routes(at string, s *Site) {
	seen := map[string]string{}
	for i, r := range s.Routes {
		where := fmt.Sprintf("%s.routes[%d]", at, i)
		if r.Name == "" {
			r.Name = r.Path
		}
		for j, m := range r.Methods {
			r.Methods[j] = strings.ToUpper(m)
			if !httpguts.ValidHeaderFieldName(m) {
				k.bad(fmt.Sprintf("%s.methods[%d]", where, j), "%q is not a method", m)
			}
			if r.Methods[j] == "CONNECT" || r.Methods[j] == "TRACE" {
				k.bad(fmt.Sprintf("%s.methods[%d]", where, j), "%s is never served", r.Methods[j])
			}
		}
		for name, value := range r.Match {
			if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				k.bad(where+".match."+name, "is not a header field")
			}
		}
		k.path(where, r)
		k.action(where, r)
		k.headers(where+".headers", r.Headers)
		if r.Compress != nil {
			k.compress(where+".compress", r.Compress)
		}
		for j, h := range r.AllowHeaders {
			if !httpguts.ValidHeaderFieldName(h) {
				k.bad(fmt.Sprintf("%s.allow_headers[%d]", where, j), "%q is not a header's name", h)
			}
		}
		if r.Retry != nil {
			k.override(where+".retry", r)
		}
		key := routeKey(r)
		if first, ok := seen[key]; ok {
			k.bad(where+".path", "the same match as %s; it could never be reached", first)
			continue
		}
		seen[key] = where
	}
}

// routeKey is the same for two routes that match the same requests.
func routeKey(r *Route) string {
	methods := slices.Clone(r.Methods)
	slices.Sort(methods)
	var match []string
	for name, value := range r.Match {
		match = append(match, strings.ToLower(name)+"="+value)
	}
	slices.Sort(match)
	return fmt.Sprintf("%s %v %q", r.Path, methods, match)
}

func (k *checker) path(at string, r *Route) {
	p := r.Path
	plain := strings.TrimSuffix(p, "/*")
	switch {
	case !strings.HasPrefix(p, "/"):
		k.bad(at+".path", "%q must begin with \"/\"", p)
		return
	case strings.Contains(plain, "*"):
		k.bad(at+".path", "%q: \"*\" may only stand at the end, after \"/\"", p)
		return
	case strings.ContainsAny(p, "?# \\"):
		k.bad(at+".path", "%q: a path has no \"?\", \"#\", space or backslash", p)
		return
	case strings.Contains(p, "//") || strings.Contains(p+"/", "/./") || strings.Contains(p+"/", "/../"):
		k.bad(at+".path", "%q is not in normal form: no \"//\", no \".\" or \"..\" between slashes", p)
		return
	}
	if s := r.StripPrefix; s != "" {
		if !strings.HasPrefix(s, "/") || (s != "/" && strings.HasSuffix(s, "/")) {
			k.bad(at+".strip_prefix", "%q must begin with \"/\" and not end with one", s)
		} else if plain != s && !strings.HasPrefix(plain, s+"/") {
			k.bad(at+".strip_prefix", "%q is not the beginning of path %s", s, p)
		}
	}
	if r.Rewrite != nil {
		if _, err := regexp.Compile(r.Rewrite.Match); err != nil {
			k.bad(at+".rewrite.match", "is not a regular expression: %v", err)
		}
		if !strings.HasPrefix(r.Rewrite.To, "/") && !strings.HasPrefix(r.Rewrite.To, "$") {
			k.bad(at+".rewrite.to", "%q must begin with \"/\" or with a group ($1)", r.Rewrite.To)
		}
	}
}

func (k *checker) action(at string, r *Route) {
	n := 0
	for _, set := range []bool{r.Origin != "", r.Respond != nil, r.Redirect != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		k.bad(at, "needs exactly one of origin, respond and redirect; it has %d", n)
	}
	if r.Origin != "" && k.cfg.Origins[r.Origin] == nil {
		k.bad(at+".origin", "there is no origin %q; known: %s", r.Origin, strings.Join(sortedKeys(k.cfg.Origins), ", "))
	}
	if r.Origin == "" && (r.StripPrefix != "" || r.Rewrite != nil || r.Retry != nil || r.BufferRequest) {
		k.bad(at, "strip_prefix, rewrite, retry and buffer_request have no use without an origin")
	}
	if r.Respond != nil && !httpguts.ValidHeaderFieldValue(r.Respond.ContentType) {
		k.bad(at+".respond.content_type", "is not a header value")
	}
	if d := r.Redirect; d != nil {
		if !slices.Contains([]int{301, 302, 303, 307, 308}, d.Status) {
			k.bad(at+".redirect.status", "%d is not one of 301, 302, 303, 307, 308", d.Status)
		}
		u, err := url.Parse(strings.NewReplacer("{path}", "/p", "{query}", "?q").Replace(d.To))
		local := strings.HasPrefix(d.To, "/") && !strings.HasPrefix(d.To, "//")
		absolute := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
		if err != nil || (!local && !absolute && d.To != "{path}{query}") || strings.ContainsAny(d.To, "\r\n \\") {
			k.bad(at+".redirect.to", "%q is neither https://host/path nor /path", d.To)
		}
	}
}

// override checks the retry settings that the route ends up with.
func (k *checker) override(at string, r *Route) {
	o := k.cfg.Origins[r.Origin]
	if o == nil {
		return
	}
	// Problems and warnings that are the origin's own are told there already.
	inherited := &checker{reader: &reader{file: k.file, at: k.at}, cfg: k.cfg}
	inherited.retry(at, o.Retry)
	own := &checker{reader: &reader{file: k.file, at: k.at}, cfg: k.cfg}
	own.retry(at, r.Retry.Apply(o.Retry))
	k.problems = append(k.problems, added(inherited.problems, own.problems)...)
	k.warnings = append(k.warnings, added(inherited.warnings, own.warnings)...)
}

func added(before, after []Problem) []Problem {
	return slices.DeleteFunc(after, func(p Problem) bool { return slices.Contains(before, p) })
}

// framing are the fields that belong to one connection, or to the transports.
var framing = []string{"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host", "expect"}

func (k *checker) headers(at string, h Headers) {
	for _, d := range []struct {
		at string
		c  HeaderChange
	}{{at + ".request", h.Request}, {at + ".response", h.Response}} {
		check := func(where, name, value string) {
			switch {
			case !httpguts.ValidHeaderFieldName(name):
				k.bad(where, "%q is not a header's name", name)
			case slices.Contains(framing, strings.ToLower(name)):
				k.bad(where, "%s belongs to the connection and cannot be changed%s", name, hostHint(name))
			case !httpguts.ValidHeaderFieldValue(value):
				k.bad(where, "the value holds a line end or control character")
			}
		}
		for name, value := range d.c.Set {
			check(d.at+".set."+name, name, value)
		}
		for name, value := range d.c.Add {
			check(d.at+".add."+name, name, value)
		}
		for i, name := range d.c.Remove {
			check(fmt.Sprintf("%s.remove[%d]", d.at, i), name, "")
		}
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
		if !ok || !httpguts.ValidHeaderFieldName(major) || (minor != "*" && !httpguts.ValidHeaderFieldName(minor)) {
			k.bad(fmt.Sprintf("%s.types[%d]", at, i), "%q is not a content type such as text/html or text/*", t)
		}
		c.Types[i] = strings.ToLower(t)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for name := range m {
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}
