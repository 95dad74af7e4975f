package std

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

// request makes net/http's request of req. Errors wrap ErrInvalidRequest.
func (t *Transport) request(req *upstream.Request, body *gate) (*http.Request, error) {
	if err := check(req); err != nil {
		return nil, err
	}
	if req.Upgrade != "" && t.o.Mode != HTTP1 {
		return nil, fmt.Errorf("%w: upgrade to %.40q over HTTP/2", upstream.ErrInvalidRequest, req.Upgrade)
	}
	r := &http.Request{
		Method: req.Method,
		URL:    t.url(req.Target),
		Host:   req.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, len(req.Header)+len(req.Extra)+3),
	}
	trailersWanted := false
	for name, values := range req.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Te":
			trailersWanted = trailersWanted || httpfield.HasToken(values, "trailers")
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Trailer", "Expect":
		default:
			r.Header[name] = values
		}
	}
	for i, f := range req.Extra {
		if !repeated(req.Extra[:i], f.Name) {
			r.Header[f.Name] = []string{f.Value}
			continue
		}
		r.Header[f.Name] = append(r.Header[f.Name], f.Value)
	}
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = nil // or net/http sends its own
	}
	switch {
	case req.Upgrade != "":
		r.Header["Connection"], r.Header["Upgrade"] = []string{"Upgrade"}, []string{req.Upgrade}
	case trailersWanted:
		r.Header["Te"] = []string{"trailers"}
		if t.o.Mode == HTTP1 {
			r.Header["Connection"] = []string{"TE"}
		}
	}
	t.setBody(r, req, body)
	return r, nil
}

// setBody gives r its body in such a way that net/http cannot repeat what must
// not be repeated (guide, section 3.1(10)).
func (t *Transport) setBody(r *http.Request, req *upstream.Request, body *gate) {
	if body != nil {
		r.Body, r.ContentLength = body, req.ContentLength
		if r.ContentLength < 0 {
			r.Trailer = req.Trailer
		}
		if req.Expect {
			r.Header["Expect"] = []string{"100-continue"}
		}
		return
	}
	switch {
	case t.o.Mode == HTTP1 && usuallyLacksBody(req.Method):
		r.Body = empty{} // net/http finds out that there is none, and sends none
	case t.o.Mode != HTTP1 && !idempotent(req.Method):
		r.Body = empty{} // sent as an empty DATA frame
	case t.o.Mode == HTTP1:
		// Only this field would make net/http repeat it. It looks for the
		// canonical name; servers know the name in any case.
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
			if v, ok := r.Header[name]; ok {
				delete(r.Header, name)
				r.Header[strings.ToLower(name)] = v
			}
		}
	}
	if req.Body != nil && req.ContentLength == 0 && r.Body == nil {
		r.Body = http.NoBody
	}
}

// usuallyLacksBody is net/http's requestMethodUsuallyLacksBody: for these
// methods it looks whether there is a body before it announces one.
func usuallyLacksBody(method string) bool {
	switch method {
	case "GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH":
		return true
	}
	return false
}

// idempotent: RFC 9110 section 9.2.2.
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE":
		return true
	}
	return false
}

func repeated(fields []upstream.Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

// url is target in the form in which net/http sends it byte for byte.
func (t *Transport) url(target string) *url.URL {
	u := &url.URL{Scheme: t.scheme, Host: t.host}
	path, query, hasQuery := strings.Cut(target, "?")
	u.RawQuery, u.ForceQuery = query, hasQuery && query == ""
	u.Opaque = path
	if strings.HasPrefix(path, "//") {
		// As Opaque this would be sent in absolute form.
		u.Opaque = t.scheme + "://" + t.host + path
		if decoded, err := url.PathUnescape(path); err == nil {
			u.Opaque, u.Path, u.RawPath = "", decoded, path
		}
	}
	return u
}

// check refuses what cannot be written as HTTP. net/http checks too, but does
// not say so in a way that can be told from a failure of the server.
func check(req *upstream.Request) error {
	if !httpguts.ValidHeaderFieldName(req.Method) || req.Method == "CONNECT" {
		return fmt.Errorf("%w: method %.40q", upstream.ErrInvalidRequest, req.Method)
	}
	if req.Target == "" || (req.Target[0] != '/' && req.Target != "*") || strings.ContainsFunc(req.Target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("%w: target %.80q", upstream.ErrInvalidRequest, req.Target)
	}
	if !httpguts.ValidHostHeader(req.Host) || strings.ContainsAny(req.Host, " \t") {
		return fmt.Errorf("%w: host %.80q", upstream.ErrInvalidRequest, req.Host)
	}
	if req.Upgrade != "" && !httpguts.ValidHeaderFieldValue(req.Upgrade) {
		return fmt.Errorf("%w: upgrade %.40q", upstream.ErrInvalidRequest, req.Upgrade)
	}
	for name, values := range req.Header {
		for _, v := range values {
			if err := checkField(name, v); err != nil {
				return err
			}
		}
	}
	for _, f := range req.Extra {
		if err := checkField(f.Name, f.Value); err != nil {
			return err
		}
	}
	return nil
}

func checkField(name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%w: field name %.40q", upstream.ErrInvalidRequest, name)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("%w: value of field %s", upstream.ErrInvalidRequest, name)
	}
	return nil
}

var _ io.ReadCloser = (*gate)(nil)
