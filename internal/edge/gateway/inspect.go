package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/evergate/evergate/internal/edge/gateway/header"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// protocolField is where net/http puts the protocol of an extended CONNECT.
const protocolField = ":protocol"

// inspect refuses what could be read in two ways and brings the rest to its one
// normal form (guide, section 7). What it changes: Host, URL and Header of the
// request; nobody behind it sees what the visitor wrote.
func (rt *Runtime) inspect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w := of(out)
		if no := rt.normalise(w, r); no != nil {
			w.refuse(r, no)
			return
		}
		if r.RequestURI == "*" { // RFC 9110 section 9.3.7: it asks about the door, not about a site
			h := w.Header()
			h["Allow"] = allMethods
			h["Content-Length"] = []string{"0"}
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(out, r)
	})
}

// normalise is inspect's judgement: nil, or why the request is refused.
func (rt *Runtime) normalise(w *response, r *http.Request) *refusal {
	w.endsConnection(r)
	if no := rt.measure(r); no != nil {
		return no
	}
	if no := framing(r); no != nil {
		return no
	}
	if no := method(w, r); no != nil {
		return no
	}
	if no := normalHost(w, r); no != nil {
		return no
	}
	if no := normalTarget(w, r); no != nil {
		return no
	}
	w.upgrade = header.HopByHop(r.Header)
	if w.upgrade != "" && acceptsUpgrade(r, w.upgrade) {
		r.Header["Connection"] = []string{"Upgrade"}
		r.Header["Upgrade"] = []string{w.upgrade}
	} else {
		w.upgrade = ""
	}
	w.odd = clean(r.Header, w.trusted)
	clean(r.Trailer, false)
	return nil
}

// endsConnection decides whether another request may follow on an HTTP/1
// connection. net/http takes Transfer-Encoding away from what it shows, together
// with a Content-Length beside it, and ignores it in HTTP/1.0. A proxy before us
// may have read such a message by the other field, and take the bytes behind it
// for part of this request or for the next; so what follows a chunked body, or
// anything in HTTP/1.0, is not read (RFC 9112 section 6.1).
func (w *response) endsConnection(r *http.Request) {
	w.closing = r.ProtoMajor == 1 && (r.ProtoMinor == 0 || len(r.TransferEncoding) > 0)
}

// measure holds the request against the limits that net/http does not know.
func (rt *Runtime) measure(r *http.Request) *refusal {
	limits := &rt.cfg.Limits
	if len(r.RequestURI) > int(limits.TargetBytes) {
		return refuseTarget
	}
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	if fields > limits.HeaderFields {
		return refuseFields
	}
	return nil
}

// framing checks that there is one length at most, and what Expect says.
func framing(r *http.Request) *refusal {
	if lengths, ok := r.Header["Content-Length"]; ok {
		// HTTP/2 and 3: net/http takes the first of several, and 0 for what is no number.
		if len(lengths) != 1 || !isLength(lengths[0], r.ContentLength) {
			return refuseFraming
		}
	}
	if expects, ok := r.Header["Expect"]; ok {
		switch {
		case len(expects) > 1:
			return refuseExpects
		case !r.ProtoAtLeast(1, 1):
			delete(r.Header, "Expect") // RFC 9110 section 10.1.1
		case !strings.EqualFold(expects[0], "100-continue"):
			return refuseExpect
		}
	}
	return nil
}

// isLength reports whether the field says n, in digits alone.
func isLength(field string, n int64) bool {
	got, err := strconv.ParseUint(field, 10, 63)
	return err == nil && int64(got) == n && field[0] != '+'
}

// method refuses TRACE and CONNECT, but for an extended CONNECT (RFC 8441, RFC 9220).
func method(w *response, r *http.Request) *refusal {
	switch r.Method {
	case http.MethodTrace:
		return refuseNever
	case http.MethodConnect:
		if r.ProtoMajor == 3 && r.Proto != "HTTP/3.0" {
			r.Header[protocolField] = []string{r.Proto} // as net/http says it for HTTP/2
		}
		if r.ProtoMajor < 2 || len(r.Header[protocolField]) != 1 || r.Header[protocolField][0] == "" {
			return refuseNever
		}
		w.extended = true
	default:
		if _, ok := r.Header[protocolField]; ok {
			return refuseFraming
		}
	}
	return nil
}

// normalHost brings r.Host to its normal form: that of package route, with the
// port unless it is the scheme's own.
func normalHost(w *response, r *http.Request) *refusal {
	if lines, ok := r.Header["Host"]; ok { // HTTP/2 and 3: beside :authority (RFC 9113 section 8.3.1)
		if len(lines) != 1 || !strings.EqualFold(lines[0], r.Host) && !w.trusted {
			return refuseHost
		}
		delete(r.Header, "Host")
	}
	if r.ProtoMajor == 2 && r.TLS == nil {
		// HTTP/2 comes over TLS only; there net/http hides the TLS of a request that
		// calls its scheme "http", and with it the visitor's certificate.
		return refuseScheme
	}
	name, port, err := route.Host(r.Host)
	if err != nil {
		return refuseHost
	}
	if port == "80" && w.x.Scheme == "http" || port == "443" && w.x.Scheme == "https" {
		port = ""
	}
	w.x.Host, w.port = name, port
	switch {
	case port == "":
		r.Host = name
	case len(r.Host) == len(name)+1+len(port) && strings.HasPrefix(r.Host, name): // it is normal
	default:
		r.Host = name + ":" + port
	}
	return nil
}

// normalTarget brings the target to path and query. It reads the request line
// itself, because url.URL has decoded the path.
func normalTarget(w *response, r *http.Request) *refusal {
	target, u := r.RequestURI, r.URL
	switch {
	case target == "":
		return refusePath
	case target == "*":
		if r.Method != http.MethodOptions {
			return refusePath
		}
		w.x.Path = "*"
		return nil
	case target[0] == '/':
	case r.ProtoMajor != 1:
		return refusePath // net/http takes an absolute :path
	default:
		// The absolute form names the host once more; net/http has made it r.Host, and
		// the Host field is not looked at (RFC 9112 section 3.2.2).
		if u.Opaque != "" || u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return refusePath
		}
		_, rest, ok := strings.Cut(target, "://")
		if !ok {
			return refusePath
		}
		i := strings.IndexAny(rest, "/?")
		if i < 0 {
			i = len(rest)
		}
		if target = rest[i:]; target == "" || target[0] == '?' {
			target = "/" + target
		}
	}
	path, query, hasQuery := strings.Cut(target, "?")
	normal, err := route.Path(path)
	if err != nil || strings.IndexByte(query, '#') >= 0 {
		return refusePath
	}
	w.x.Path, w.x.Query = normal, query
	u.Scheme, u.Host, u.Fragment, u.RawFragment = "", "", "", ""
	u.RawQuery, u.ForceQuery = query, hasQuery && query == ""
	setPath(r, normal)
	return nil
}

// setPath makes a normal path the one that goes to the server.
func setPath(r *http.Request, normal string) {
	r.URL.Path, r.URL.RawPath = route.Decoded(normal), normal
}

// acceptsUpgrade reports whether an HTTP/1.1 request may change to the protocol:
// one protocol, none of HTTP's own (a server that took "h2c" would carry requests
// that nobody here has looked at), and no body before it.
func acceptsUpgrade(r *http.Request, protocol string) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || r.ContentLength != 0 || strings.ContainsAny(protocol, ", ") {
		return false
	}
	name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
	return name != "h2c" && name != "h2" && name != "http" && name != "tls"
}

// clean removes what a visitor has no right to say, and reports whether there are
// odd names left, which the route will judge.
func clean(h http.Header, trusted bool) (odd bool) {
	for name := range h {
		switch header.Claims(name) {
		case header.OfOurs:
			delete(h, name)
			continue
		case header.OfProxy:
			if !trusted {
				delete(h, name)
				continue
			}
		}
		if name == "X-Request-Id" {
			delete(h, name)
		}
		odd = odd || header.IsOdd(name)
	}
	return odd
}
