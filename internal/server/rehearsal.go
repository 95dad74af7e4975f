package server

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/exchange"
)

// mostBody is how much of an answer of the door is kept.
const mostBody = 4 << 10

// request is q as net/http's server would hand it to the gateway.
func (q Question) request() (*http.Request, error) {
	u, err := url.Parse(q.URL)
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("read the URL %s: it must begin with http:// or https:// and a host", q.URL)
	}
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	if !httpguts.ValidHeaderFieldName(method) {
		return nil, fmt.Errorf("read the method: %q is none", method)
	}
	client := q.Client
	if !client.IsValid() {
		client = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	// The target as the visitor's browser sends it: as it was written, for the
	// gateway is there to judge it.
	_, target, _ := strings.Cut(q.URL, "://")
	target, _, _ = strings.Cut(target, "#")
	if i := strings.IndexAny(target, "/?"); i < 0 {
		target = "/"
	} else if target = target[i:]; target[0] == '?' {
		target = "/" + target
	}
	r := &http.Request{
		Method: method, Host: u.Host, URL: &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, RequestURI: target,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, RemoteAddr: netip.AddrPortFrom(client, 1024).String(),
	}
	for name, values := range q.Header {
		if http.CanonicalHeaderKey(name) == "Host" {
			return nil, errors.New("read the header: the Host is that of the URL")
		}
		r.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if length := r.Header.Get("Content-Length"); length != "" {
		if r.ContentLength, err = strconv.ParseInt(length, 10, 64); err != nil || r.ContentLength < 0 {
			return nil, fmt.Errorf("read the header: Content-Length %q is none", length)
		}
	}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: u.Hostname()}
	}
	return r, nil
}

// rehearsal takes the place of the servers, of the visitor and of the observers
// while a request passes the gateway. It is for one request.
type rehearsal struct {
	exchange exchange.Exchange
	route    *config.Route // whose server would have been asked, nil: none
	asking   http.Header   // what it would have been asked with
	target   string        // likewise
	host     string        // likewise

	header http.Header // of the door's own answer
	status int
	body   bytes.Buffer
}

// play sends r through door.
func (s *rehearsal) play(door http.Handler, r *http.Request) {
	s.header = make(http.Header)
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares like this
			panic(v)
		}
	}()
	door.ServeHTTP(s, r)
}

// Handler implements gateway.Backends.
func (s *rehearsal) Handler(route *config.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.route, s.asking, s.host = route, r.Header.Clone(), r.Host
		s.target = r.URL.EscapedPath()
		if r.URL.ForceQuery || r.URL.RawQuery != "" {
			s.target += "?" + r.URL.RawQuery
		}
		w.WriteHeader(http.StatusOK)
	})
}

// Observe implements gateway.Observer.
func (s *rehearsal) Observe(x *exchange.Exchange) {
	s.exchange = *x
	s.exchange.Attempts = nil
}

// Header, WriteHeader and Write implement http.ResponseWriter.
func (s *rehearsal) Header() http.Header { return s.header }

func (s *rehearsal) WriteHeader(status int) {
	if s.status == 0 && (status < 100 || status >= 200) {
		s.status = status
	}
}

func (s *rehearsal) Write(b []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	s.body.Write(b[:min(len(b), max(mostBody-s.body.Len(), 0))])
	return len(b), nil
}

// explanation is what has been seen. What belongs to servers is left out when
// none would be asked.
func (s *rehearsal) explanation(cfg *config.Config, r *http.Request) *Explanation {
	x := &s.exchange
	e := &Explanation{Request: Asked{
		Method: x.Method, Scheme: x.Scheme, Host: cmp.Or(x.Host, r.Host), Path: x.Path, Query: x.Query, Client: x.Client.String(),
	}}
	if x.Path == "" { // it was refused before
		e.Request.Path, e.Request.Query, _ = strings.Cut(r.RequestURI, "?")
	}
	site, route := s.place(cfg)
	if site != nil {
		e.Site = siteMet(cfg, site)
	}
	if route != nil {
		e.Route = routeMet(cfg, route)
	}
	if s.route == nil {
		e.Answer = s.answer()
		return e
	}
	o := cfg.Origins[route.Origin]
	e.Route.TunnelIdle = route.TunnelIdle.String()
	e.Limits = limitsMet(cfg, route)
	e.Headers = headersChanged(site, route)
	e.Sent = &Sent{Method: x.Method, Target: s.target, Host: s.host, Header: fields(s.asking, site, route)}
	switch o.Host {
	case "preserve":
	case "server":
		e.Sent.Host = "the server's own"
	default:
		e.Sent.Host = o.Host
	}
	e.Origin = originMet(cfg, route.Origin, o)
	e.Retry = retryMet(cfg.RetryFor(route), proxy.Explain(o, route.Retry, x.Method, s.asking))
	return e
}

// answer is the door's own.
func (s *rehearsal) answer() *Answer {
	a := &Answer{Status: s.status, Reason: s.exchange.Denial, Location: s.header.Get("Location")}
	if allow := s.header.Get("Allow"); allow != "" {
		a.Allow = strings.Split(allow, ", ")
	}
	switch {
	case a.Reason != "":
	case a.Location != "":
		a.Reason = "redirect"
	default:
		a.Reason, a.Body = "respond", s.body.String()
	}
	return a
}

// place is the site and the route that the exchange names.
func (s *rehearsal) place(cfg *config.Config) (*config.Site, *config.Route) {
	for _, site := range cfg.Sites {
		if site.Hosts[0] != s.exchange.Site {
			continue
		}
		for _, route := range site.Routes {
			if route == s.route || (s.route == nil && (route.Name == s.exchange.Route || (route.Name == "" && route.Path == s.exchange.Route))) {
				return site, route
			}
		}
		return site, nil
	}
	return nil, nil
}

// fields is h as lines, in the order of the names, with "***" for what may be a
// secret of the site or the route. The request's id is another one each time.
func fields(h http.Header, site *config.Site, route *config.Route) []string {
	hidden := make(map[string]string) // by line: how it may be seen
	for _, values := range []map[string]config.HeaderValue{
		site.Headers.Request.Set, site.Headers.Request.Add, route.Headers.Request.Set, route.Headers.Request.Add, route.Match,
	} {
		for name, value := range values {
			if shown := value.String(); shown != value.Reveal() {
				name = http.CanonicalHeaderKey(name)
				hidden[name+": "+value.Reveal()] = name + ": " + shown
			}
		}
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			if name == "X-Request-Id" {
				value = "(of this request)"
			}
			line := name + ": " + value
			lines = append(lines, cmp.Or(hidden[line], line))
		}
	}
	return lines
}
