package gateway

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/exchange"
)

// commanded is a site in maintenance whose one path is an endpoint of ours.
const commanded = `listen: {http: ":80", https: ":443"}
tls: {local: true}
trusted_proxies: [198.51.100.7]` + oneOrigin + `
sites:
  - hosts: [shop.test, www.shop.test]
    redirect_from: [old.test]
    maintenance: true
    access: {deny: [203.0.113.0/24]}
    headers: {request: {remove: [X-Signature]}, response: {set: {X-Frame-Options: DENY}}}
    routes: [{path: /*, origin: shop}]
  - {hosts: [other.test], http: serve, routes: [{path: /*, origin: shop}]}
`

// told is an endpoint that says what it was asked.
func told() Endpoint {
	return Endpoint{Site: "www.shop.test", Path: "/evergate/chat", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.WriteString(w, r.Method+" "+exchange.From(r.Context()).Scheme+" "+r.Header.Get("X-Signature")+" "+string(b))
	})}
}

// withBody gives r a body, of unknown length unless known.
func withBody(r *http.Request, body string, known bool) *http.Request {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
	if known {
		r.ContentLength = int64(len(body))
	} else {
		r.TransferEncoding = []string{"chunked"}
	}
	return r
}

func TestEndpoint(t *testing.T) {
	const at = "https://shop.test/evergate/chat"
	long := strings.Repeat("x", endpointBody+1)
	tests := []struct {
		name   string
		r      *http.Request
		status int
		text   string // of the answer, when it is the endpoint's
	}{
		{"is served in maintenance, whole", withBody(overTLS(request("POST", at, "X-Signature: s")), "hello", true), 200, "POST https s hello"},
		{"gets all methods", overTLS(request("GET", at)), 200, "GET https  "},
		{"on each host of its site", overTLS(request("GET", "https://www.shop.test/evergate/chat")), 200, "GET https  "},
		{"in normal form", overTLS(request("GET", "https://SHOP.test./evergate/./%63hat")), 200, "GET https  "},
		{"a trusted proxy says that it came by https", from("198.51.100.7:99", request("GET", "/evergate/chat", "X-Forwarded-Proto: https")), 200, "GET https  "},
		{"http is sent to https", request("POST", "/evergate/chat"), 308, ""},
		{"the site's networks are asked", from("203.0.113.9:99", overTLS(request("GET", at))), 403, ""},
		{"a long body", withBody(overTLS(request("POST", at)), long, true), 413, ""},
		{"a long body of unknown length", withBody(overTLS(request("POST", at)), long, false), 413, ""},
		{"a path below is not it", overTLS(request("GET", at+"/x")), 503, ""},
		{"nor is one above", overTLS(request("GET", "https://shop.test/evergate")), 503, ""},
		{"another site has none", request("GET", "http://other.test/evergate/chat"), 200, "ok"},
		{"nor has a host that moved", overTLS(request("GET", "https://old.test/evergate/chat")), 308, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoorWith(t, commanded, told())
			res := d.serve(tt.r)
			x := d.seen()
			if res.StatusCode != tt.status {
				t.Fatalf("%d %q, want %d", res.StatusCode, x.Denial, tt.status)
			}
			if tt.text == "" {
				return
			}
			if got := text(t, res); got != tt.text {
				t.Errorf("%q, want %q", got, tt.text)
			}
			if tt.text != "ok" && (res.Header.Get("X-Frame-Options") != "DENY" || x.Route != "/evergate/chat" || x.Origin != "") {
				t.Errorf("header %v, route %q, origin %q", res.Header, x.Route, x.Origin)
			}
		})
	}
}

func TestEndpoint_ThatCannotBeIsRefused(t *testing.T) {
	tests := []struct {
		name string
		e    Endpoint
		want string
	}{
		{"on no site", Endpoint{Site: "nowhere.test", Path: "/chat"}, "no site has that host"},
		{"of many paths", Endpoint{Site: "shop.test", Path: "/chat/*"}, "exact"},
		{"of no path", Endpoint{Site: "shop.test", Path: "chat?x"}, "path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := New(Options{})
			_, err := g.Prepare(load(t, plain), new(servers), []Endpoint{tt.e})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
