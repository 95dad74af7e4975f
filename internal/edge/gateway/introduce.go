package gateway

import (
	"net/http"

	"github.com/evergate/evergate/internal/edge/gateway/route"
	"github.com/evergate/evergate/internal/id"
)

// introduce finds out who asks.
func (rt *Runtime) introduce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		rt.identify(of(out), r)
		next.ServeHTTP(out, r)
	})
}

// identify writes peer, client, scheme and id into the exchange. What a trusted
// proxy says of the visitor is believed, its host too: that is the one that the
// visitor asked for.
func (rt *Runtime) identify(w *response, r *http.Request) {
	x := w.x
	x.Peer, w.peerText = addr(r.RemoteAddr)
	x.Client = x.Peer
	if rt.trust.Has(x.Peer) {
		w.trusted = true
		v := rt.trust.Read(r.Header, x.Peer)
		x.Client, w.chain = v.Addr, v.Chain
		if v.Proto != "" {
			x.Scheme = v.Proto
		}
		if v.Host != "" {
			if _, _, err := route.Host(v.Host); err == nil {
				r.Host = v.Host
			}
		}
		if ids := r.Header["X-Request-Id"]; len(ids) == 1 && goodID(ids[0]) {
			x.ID = ids[0]
		}
	}
	if x.ID == "" {
		x.ID = id.New(x.Start)
	}
	w.id = []string{x.ID, "", ""}[:1] // with room for announce
}

// longestID is more than any proxy's id needs.
const longestID = 128

// goodID reports whether an id can stand in headers, logs and pages as it is.
func goodID(s string) bool {
	if s == "" || len(s) > longestID {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.',
			c == ':', c == '/', c == '+', c == '=', c == '@', c == '|', c == '~':
		default:
			return false
		}
	}
	return true
}

// Shared header values; an append to one makes a new slice.
var (
	protoHTTP  = []string{"http"}[:1:1]
	protoHTTPS = []string{"https"}[:1:1]
)

// announce tells the server who asks. The visitor's own copies of these fields are
// gone by now (inspect).
func (rt *Runtime) announce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w := of(out)
		h := r.Header
		values := w.id[:3] // one allocation for all
		w.id = values[:1:1]
		h["X-Request-Id"] = w.id
		if values[1] = w.peerText; w.chain != "" {
			values[1] = w.chain
		}
		if values[1] != "" {
			h["X-Forwarded-For"] = values[1:2:2]
		}
		values[2] = r.Host
		h["X-Forwarded-Host"] = values[2:3:3]
		h["X-Forwarded-Proto"] = protoHTTP
		if w.x.Scheme == "https" {
			h["X-Forwarded-Proto"] = protoHTTPS
		}
		next.ServeHTTP(out, r)
	})
}
