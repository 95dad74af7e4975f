package gateway

import (
	"net/http"

	"github.com/evergate/evergate/internal/edge/gateway/header"
)

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
