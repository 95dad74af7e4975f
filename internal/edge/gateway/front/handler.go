package front

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// retryAfterMemory is when a visitor refused for want of memory may come again.
const retryAfterMemory = 2 * time.Second

// connectionClose and its like are shared header values; nobody changes them,
// and an Add to one makes a new slice.
var connectionClose = []string{"close"}[:1:1]

// serve is what every request meets between the ACME challenge and the handler.
func (f *Front) serve(w http.ResponseWriter, r *http.Request) {
	v := visitorOf(r.Context())
	if v == nil { // not by one of our listeners: a test of the handler alone
		f.next.ServeHTTP(w, r)
		return
	}
	if r.TLS == nil {
		r.TLS = v.tls // net/http cannot see it behind a secureRest
	}
	level := f.ladder.level.Load()
	f.announce(w, r, v, level)
	switch {
	case r.Method == "PRI":
		// The preface of HTTP/2 where HTTP/1 was agreed on; net/http lets it pass for a
		// request (RFC 9113 section 3.4).
		w.Header()["Connection"] = connectionClose
		f.metrics.requestsRefused.WithLabelValues("version").Inc()
		f.refuse(w, r, http.StatusHTTPVersionNotSupported, "version", 0)
	case level >= refuseRequests:
		f.metrics.requestsRefused.WithLabelValues("memory").Inc()
		f.refuse(w, r, http.StatusServiceUnavailable, "memory", retryAfterMemory)
	case v.generation.settings.clientCerts && misdirected(r):
		f.metrics.requestsRefused.WithLabelValues("misdirected").Inc()
		f.refuse(w, r, http.StatusMisdirectedRequest, "misdirected", 0)
	case r.ProtoMajor >= 2:
		f.serveStream(w, r, v)
	case r.ProtoMinor == 0:
		f.serveOld(w, r, v)
	default:
		f.next.ServeHTTP(w, r)
	}
}

// serveOld serves HTTP/1.0, where the end of the connection may be that of the
// answer (RFC 9112 section 6.3): one that is aborted would look whole if the
// connection were closed in good manners.
func (f *Front) serveOld(w http.ResponseWriter, r *http.Request, v *visitor) {
	whole := false
	defer func() {
		if !whole {
			v.end("cut")
		}
	}()
	f.next.ServeHTTP(w, r)
	whole = true
}

// announce tells the visitor with the answer that this connection ends (HTTP/1:
// Connection: close; HTTP/2: net/http makes a GOAWAY of it), or that HTTP/3 is
// to be had. HTTP/3 itself has no such header; its GOAWAY comes with the drain.
func (f *Front) announce(w http.ResponseWriter, r *http.Request, v *visitor, level int32) {
	if r.ProtoMajor >= 3 {
		return
	}
	if level >= endKeepAlive || v.leaving.Load() || f.leaving.Load() {
		w.Header()["Connection"] = connectionClose
		return
	}
	if r.TLS == nil {
		return
	}
	if alt := v.socket.altSvc.Load(); alt != nil {
		w.Header()["Alt-Svc"] = (*alt)[:1:1]
	}
}

// misdirected reports whether a request names another host than its TLS
// handshake did. Where certificates are asked from visitors, the handshake
// decided what they had to show, so the request may not speak of somebody else
// (guide, section 6; RFC 9110 section 15.5.20). A visitor that asks by address
// cannot name it in the handshake (RFC 6066 section 3).
func misdirected(r *http.Request) bool {
	if r.TLS == nil {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	if r.TLS.ServerName == "" {
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err != nil
	}
	return !strings.EqualFold(host, strings.TrimSuffix(r.TLS.ServerName, "."))
}

// refuseInText is the Refuse of a front that was given none.
func refuseInText(w http.ResponseWriter, _ *http.Request, status int, reason string, retryAfter time.Duration) {
	if retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	}
	http.Error(w, fmt.Sprintf("%s (%s)", http.StatusText(status), reason), status)
}
