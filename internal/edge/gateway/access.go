package gateway

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/header"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// maintenanceRetry is what visitors of a site in maintenance are told to wait.
const maintenanceRetry = time.Minute

// match finds the route and hands the request to its steps.
func (rt *Runtime) match(out http.ResponseWriter, r *http.Request) {
	w := of(out)
	p, moved, allowed := rt.find(w.x.Host, route.Subject(w.x.Path), r.Method, r.Header)
	w.place = p
	if p.site != nil {
		w.x.Site = p.site.name
	}
	if p.cfg != nil {
		w.x.Route, w.x.Origin = p.name, p.cfg.Origin
	}
	switch {
	case moved:
		location(w, http.StatusPermanentRedirect, rt.movedTo(w))
	case p.site == nil:
		w.refuse(r, refuseUnknownHost)
	case p.cfg == nil && allowed != nil:
		w.refuse(r, refuseMethod(allowed))
	case p.cfg == nil:
		w.refuse(r, refuseNoRoute)
	case p.cfg.EncodedSlash != "keep" && route.HasEncodedSlash(w.x.Path):
		w.refuse(r, refuseSlash)
	default:
		p.steps.ServeHTTP(w, r)
	}
}

// location answers with a redirect without a body.
func location(w *response, status int, to string) {
	h := w.Header()
	h["Location"] = []string{to}
	h["Content-Length"] = contentLength0
	w.WriteHeader(status)
}

var contentLength0 = []string{"0"}[:1:1]

// asked is path and query as the visitor asked for them, in normal form.
func asked(w *response) string {
	if w.x.Query == "" {
		return w.x.Path
	}
	return w.x.Path + "?" + w.x.Query
}

// movedTo is where a visitor of a host in redirect_from is sent: the same place on
// the first host of the site, and to https at once where http would lead there.
func (rt *Runtime) movedTo(w *response) string {
	s := w.place.site
	if rt.redirectsHTTP(s.cfg) && w.x.Scheme == "http" {
		return "https://" + s.name + rt.httpsPort(w.port) + asked(w)
	}
	port := ""
	if w.port != "" {
		port = ":" + w.port
	}
	return w.x.Scheme + "://" + s.name + port + asked(w)
}

func (rt *Runtime) redirectsHTTP(s *config.Site) bool {
	return rt.servesHTTPS && s.HTTP == "redirect"
}

// toHTTPS sends visitors on plain HTTP to https.
func (rt *Runtime) toHTTPS(s *config.Site) step {
	if !rt.redirectsHTTP(s) {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			w := of(out)
			if w.x.Scheme == "http" {
				location(w, http.StatusPermanentRedirect, rt.overHTTPS(w))
				return
			}
			next.ServeHTTP(out, r)
		})
	}
}

func (rt *Runtime) overHTTPS(w *response) string {
	return "https://" + w.x.Host + rt.httpsPort(w.port) + asked(w)
}

// admit lets in whom the list allows.
func admit(a config.Access) step {
	if len(a.Allow) == 0 && len(a.Deny) == 0 {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			w := of(out)
			if !admits(a, w.x.Client) {
				w.refuse(r, refuseIP)
				return
			}
			next.ServeHTTP(out, r)
		})
	}
}

// admits reports whether the list lets client in. A visitor without an address is
// in no network.
func admits(a config.Access, client netip.Addr) bool {
	if contains(a.Deny, client) {
		return false
	}
	return len(a.Allow) == 0 || contains(a.Allow, client)
}

func contains(networks []config.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// maintenance answers everything with the maintenance page.
func maintenance(s *config.Site) step {
	if !s.Maintenance {
		return nil
	}
	no := &refusal{
		status: http.StatusServiceUnavailable, reason: "maintenance", message: s.MaintenanceMessage, retryAfter: maintenanceRetry,
	}
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) { of(out).refuse(r, no) })
	}
}

// dropOdd removes header fields whose names servers would mistake for others.
func dropOdd(p *place) step {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if of(out).odd {
				p.dropOdd(r.Header)
			}
			next.ServeHTTP(out, r)
		})
	}
}

func (p *place) dropOdd(h http.Header) {
	for name := range h {
		if header.IsOdd(name) && !p.allows(name) {
			delete(h, name)
		}
	}
}

func (p *place) allows(name string) bool {
	for _, n := range p.allow {
		if n == name {
			return true
		}
	}
	return false
}

// changeRequest changes the header that goes to the server.
func changeRequest(p *place) step {
	if p.request[0] == nil && p.request[1] == nil {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			p.request[0].Apply(r.Header)
			p.request[1].Apply(r.Header)
			next.ServeHTTP(out, r)
		})
	}
}

// compressed has the response compressed where that is worth it.
func compressed(p *place) step {
	if p.compress == nil {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			of(out).compressed = true
			next.ServeHTTP(out, r)
		})
	}
}
