package gateway

import (
	"net/http"
	"net/netip"

	"github.com/evergate/evergate/internal/config"
)

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
