package config

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

func (k *checker) routes(at string, s *Site) {
	first := map[string]string{}
	for i, r := range s.Routes {
		where := fmt.Sprintf("%s[%d]", at, i)
		if r.Name == "" {
			r.Name = r.Path
			k.derived(where+".name", where+".path", "")
		} else if len(r.Name) > maxName || strings.ContainsFunc(r.Name, isControl) {
			k.bad(where+".name", "holds a control character, or is longer than %d", maxName)
		}
		k.methods(where+".methods", r.Methods)
		k.match(where+".match", r.Match)
		subject, ok := k.path(where, r)
		k.action(where, r)
		k.headers(where+".headers", r.Headers)
		if r.Compress != nil {
			k.compress(where+".compress", r.Compress)
		}
		k.allowHeaders(where+".allow_headers", r.AllowHeaders)
		if r.Retry != nil {
			k.override(where+".retry", r)
		}
		if !ok || !k.whole(where+".methods", where+".match") {
			continue
		}
		key := routeKey(subject, r)
		if other, taken := first[key]; taken {
			k.bad(where+".path", "the same match as %s; it could never be reached", other)
			continue
		}
		first[key] = where
	}
}

func (k *checker) methods(at string, list []string) {
	seen := map[string]bool{}
	for i, m := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		list[i] = strings.ToUpper(m)
		switch {
		case !isToken(m):
			k.bad(where, "%q is not a method", m)
		case list[i] == "CONNECT" || list[i] == "TRACE":
			k.bad(where, "%s is never served", list[i])
		case seen[list[i]]:
			k.bad(where, "%s stands twice; keep one", list[i])
		}
		seen[list[i]] = true
	}
}

func (k *checker) match(at string, m map[string]HeaderValue) {
	k.fields(at, m, func(where, name, value string) bool {
		switch {
		case !isToken(name):
			k.badName(where, "%q is not the name of a header", name)
		case strings.EqualFold(name, "host"):
			k.badName(where, "is decided by the hosts of the site")
		case !httpguts.ValidHeaderFieldValue(value) || strings.TrimSpace(value) != value:
			k.bad(where, "is no value that a header can have; \"*\" is any value")
		default:
			return true
		}
		return false
	})
}

// routeKey is the same for two routes that match the same requests.
func routeKey(subject string, r *Route) string {
	methods := slices.Sorted(slices.Values(r.Methods))
	var match []string
	for name, value := range r.Match {
		known := value.Reveal()
		if h := value.held; h != nil && h.unread {
			known = "file " + h.file
		}
		match = append(match, http.CanonicalHeaderKey(name)+"="+known)
	}
	slices.Sort(match)
	return fmt.Sprintf("%q %q %q", subject, methods, match)
}

// path checks path, strip_prefix and rewrite. subject is the same for two paths
// that match the same.
func (k *checker) path(at string, r *Route) (subject string, ok bool) {
	if !k.readable(at + ".path") {
		return "", false
	}
	stem, prefix, problem := pathPattern(r.Path)
	if problem != "" {
		k.bad(at+".path", "%q %s", r.Path, problem)
	}
	if s := r.StripPrefix; s != "" {
		strip, _ := decodePath(s)
		switch {
		case s == "/":
			k.bad(at+".strip_prefix", "\"/\" would take nothing off; take the key out")
		case !strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/"):
			k.bad(at+".strip_prefix", "%q must begin with \"/\" and not end with one", s)
		case problem == "" && stem != strip && !strings.HasPrefix(stem, strip+"/"):
			k.bad(at+".strip_prefix", "%q is not the beginning of path %s", s, r.Path)
		}
	}
	if r.Rewrite != nil {
		k.rewrite(at+".rewrite", r.Rewrite)
	}
	if prefix {
		stem += "/*"
	}
	return stem, problem == ""
}

// group is a reference as regexp.Regexp.Expand reads it, or an escaped dollar.
var group = regexp.MustCompile(`\$\$|\$\{([A-Za-z0-9_]*)\}|\$([A-Za-z0-9_]+)|\$`)

func (k *checker) rewrite(at string, w *Rewrite) {
	if !k.readable(at + ".match") {
		return
	}
	re, err := regexp.Compile(w.Match)
	if err != nil {
		k.bad(at+".match", "is not a regular expression: %v", err)
		return
	}
	if !strings.HasPrefix(w.To, "/") && !strings.HasPrefix(w.To, "$") || strings.ContainsAny(w.To, "?# \\") || strings.ContainsFunc(w.To, isControl) {
		k.bad(at+".to", "%q is not a path: it begins with \"/\" or a group ($1), and has no \"?\", \"#\", space or backslash", w.To)
	}
	for _, m := range group.FindAllStringSubmatch(w.To, -1) {
		name := m[1] + m[2]
		n, err := strconv.Atoi(name)
		switch {
		case m[0] == "$$":
		case err == nil && n <= re.NumSubexp(), name != "" && slices.Contains(re.SubexpNames(), name):
		default:
			k.bad(at+".to", "%s is no group of match, which has %d; write ${1} where letters or digits follow, $$ for a dollar", m[0], re.NumSubexp())
		}
	}
}

func (k *checker) action(at string, r *Route) {
	var actions []string
	for _, a := range []struct {
		key string
		set bool
	}{{"origin", r.Origin != ""}, {"respond", r.Respond != nil}, {"redirect", r.Redirect != nil}} {
		if a.set || k.given(at+"."+a.key) {
			actions = append(actions, a.key)
		}
	}
	switch {
	case len(actions) == 0 && k.whole(at):
		k.bad(at, "does nothing; give it one of origin, respond and redirect")
	case len(actions) > 1:
		k.bad(at, "has %s; keep one of them", strings.Join(actions, " and "))
	}
	if k.given(at+".origin") && k.cfg.Origins[r.Origin] == nil && k.readable("origins") {
		k.bad(at+".origin", "there is no origin %q%s", r.Origin, known(k.cfg.Origins))
	}
	if !slices.Contains(actions, "origin") && k.whole(at) {
		for _, key := range []string{"strip_prefix", "rewrite", "retry", "buffer_request", "tunnel_idle", "allow_headers", "headers.request"} {
			if k.given(at + "." + key) {
				k.bad(at+"."+key, "has no use without an origin")
			}
		}
	}
	if r.Respond != nil {
		k.respond(at+".respond", r.Respond)
	}
	if r.Redirect != nil {
		k.redirect(at+".redirect", r)
	}
}

// known lists the origins there are.
func known(origins map[string]*Origin) string {
	if len(origins) == 0 {
		return "; there is none"
	}
	return "; known: " + strings.Join(sortedKeys(origins), ", ")
}

func (k *checker) respond(at string, d *Respond) {
	if _, _, err := mime.ParseMediaType(d.ContentType); err != nil || !httpguts.ValidHeaderFieldValue(d.ContentType) || !strings.Contains(d.ContentType, "/") {
		k.bad(at+".content_type", "%q is not a content type such as text/plain; charset=utf-8", d.ContentType)
	}
	if d.Body != "" && (d.Status == 204 || d.Status == 205 || d.Status == 304) {
		k.bad(at+".body", "has no use: an answer with status %d has none", d.Status)
	}
}

// placeholder is what redirect.to may hold of the visitor's request, or a mistake.
var placeholder = regexp.MustCompile(`\{[^}]*\}?|\}`)

func (k *checker) redirect(at string, r *Route) {
	d := r.Redirect
	if !slices.Contains([]int{301, 302, 303, 307, 308}, d.Status) {
		k.bad(at+".status", "%d is not one of 301, 302, 303, 307, 308", d.Status)
	}
	to := d.To
	if !k.readable(at + ".to") {
		return
	}
	for _, p := range placeholder.FindAllString(to, -1) {
		if p != "{path}" && p != "{query}" {
			k.bad(at+".to", "%q is not known; there are {path} and {query}", p)
			return
		}
	}
	plain := strings.NewReplacer("{path}", "/p", "{query}", "?q").Replace(to)
	u, err := url.Parse(plain)
	local := strings.HasPrefix(plain, "/") && !strings.HasPrefix(plain, "//")
	absolute := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
	if absolute {
		_, absolute = authority(u.Host)
	}
	switch {
	case err != nil || !local && !absolute || strings.ContainsAny(to, " \\\"<>") || strings.ContainsFunc(to, isControl) || !isASCII(to):
		k.bad(at+".to", "%q is neither https://host/path nor /path, with what is special percent-encoded", withoutPassword(to))
	case strings.Contains(to, "/{path}"):
		k.bad(at+".to", "{path} brings its own \"/\"; take the one before it out")
	case strings.Contains(to, "?{query}"):
		k.bad(at+".to", "{query} brings its own \"?\"; take the one before it out")
	case to == "{path}", to == "{path}{query}", local && u.Path == r.Path:
		k.bad(at+".to", "leads back to this route, without end")
	}
}

func (k *checker) allowHeaders(at string, list []string) {
	for i, h := range list {
		where := fmt.Sprintf("%s[%d]", at, i)
		switch {
		case !isToken(h):
			k.bad(where, "%q is not the name of a header", h)
		case !strings.ContainsAny(h, "_."):
			k.bad(where, "%s passes anyway; only names with \"_\" or \".\" need to stand here", h)
		}
	}
}

// override completes the retry settings of a route and checks what they make of
// its origin's.
func (k *checker) override(at string, r *Route) {
	o := k.cfg.Origins[r.Origin]
	if o == nil {
		return
	}
	if b := r.Retry.Replay; b != nil { // keys not given are the origin's
		k.inherit(at+".replay.memory", &b.Memory, o.Retry.Replay.Memory)
		k.inherit(at+".replay.route_max", &b.RouteMax, o.Retry.Replay.RouteMax)
	}
	if b := r.Retry.Backoff; b != nil {
		if !k.given(at + ".backoff.base") {
			b.Base = o.Retry.Backoff.Base
		}
		if !k.given(at + ".backoff.max") {
			b.Max = o.Retry.Backoff.Max
		}
	}
	inherited := map[finding]bool{} // told at the origin already
	for _, f := range retryFindings(o.Retry) {
		inherited[f] = true
	}
	for _, f := range retryFindings(r.Retry.Apply(o.Retry)) {
		if !inherited[f] {
			k.tell(at, f)
		}
	}
}

func (k *checker) inherit(path string, to *Size, from Size) {
	if !k.given(path) {
		*to = from
	}
}
