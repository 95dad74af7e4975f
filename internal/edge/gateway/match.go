package gateway

import (
	"net/http"

	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// match finds the route and hands the request to its steps.
func (rt *Runtime) match(out http.ResponseWriter, r *http.Request) {
	w := of(out)
	method := r.Method
	if w.extended {
		method = http.MethodGet // which it is for the server, and in HTTP/1
	}
	p, moved, allowed := rt.find(w.x.Host, route.Subject(w.x.Path), method, r.Header)
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
