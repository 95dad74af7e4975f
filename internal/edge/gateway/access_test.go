package gateway

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
)

const secure = `listen: {http: ":80", https: ":443"}
tls: {local: true}
trusted_proxies: [198.51.100.0/24]` + oneOrigin + `
sites:
  - hosts: [shop.test]
    redirect_from: [old.test]
    hsts: {max_age: 24h, subdomains: true}
    access: {deny: [203.0.113.0/24]}
    routes:
      - {path: /*, origin: shop}
      - {path: /inner/*, origin: shop, access: {allow: [10.0.0.0/8]}}
      - {path: /form, origin: shop, methods: [post]}
      - {path: /form, origin: shop, methods: [put], match: {X-Draft: "*"}}
  - {hosts: [plain.test], http: serve, routes: [{path: /only, origin: shop, methods: [get]}]}
  - {hosts: [closed.test], http: serve, maintenance: true, maintenance_message: "Back at noon.", routes: [{path: /*, origin: shop}]}
`

// overTLS makes r one that came over TLS.
func overTLS(r *http.Request) *http.Request {
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: "shop.test"}
	return r
}

func TestAccess(t *testing.T) {
	tests := []struct {
		name     string
		r        *http.Request
		status   int
		location string
		denial   string
	}{
		{"http leads to https, path and query kept", request("GET", "http://shop.test/a/../b?c=%41"), 308, "https://shop.test/b?c=%41", ""},
		{"from another port too", request("GET", "http://shop.test:8080/"), 308, "https://shop.test/", ""},
		{"a POST is redirected as such", request("POST", "http://shop.test/x"), 308, "https://shop.test/x", ""},
		{"https is served", overTLS(request("GET", "/")), 200, "", ""},
		{"https by a trusted proxy's word is served", from("198.51.100.1:1", request("GET", "/", "X-Forwarded-Proto: https")), 200, "", ""},
		{"https by anybody's word is not", request("GET", "/", "X-Forwarded-Proto: https"), 308, "https://shop.test/", ""},
		{"a site may be served on http", request("GET", "http://plain.test/only"), 200, "", ""},
		{"a moved host leads to the new one, at once to https", request("GET", "http://old.test/a?b"), 308, "https://shop.test/a?b", ""},
		{"over https as well", overTLS(request("GET", "http://old.test/nowhere?b")), 308, "https://shop.test/nowhere?b", ""},
		{"with the visitor's port", overTLS(request("GET", "http://old.test:8443/")), 308, "https://shop.test:8443/", ""},
		{"a denied network", from("203.0.113.7:1", overTLS(request("GET", "/"))), 403, "", "ip_denied"},
		{"a route for some", overTLS(request("GET", "/inner/x")), 403, "", "ip_denied"},
		{"one of them", from("10.1.2.3:1", overTLS(request("GET", "/inner/x"))), 200, "", ""},
		{"maintenance", request("GET", "http://closed.test/x", "Accept: text/html"), 503, "", "maintenance"},
		{"no route", request("GET", "http://plain.test/"), 404, "", "no_route"},
		{"no route for the method", request("POST", "http://plain.test/only"), 405, "", "method"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, secure)
			res := d.serve(tt.r)
			x := d.seen()
			if res.StatusCode != tt.status || res.Header.Get("Location") != tt.location || x.Denial != tt.denial {
				t.Errorf("%d %q %q, want %d %q %q", res.StatusCode, res.Header.Get("Location"), x.Denial, tt.status, tt.location, tt.denial)
			}
			if asked := d.servers.last() != nil; asked != (tt.status == 200) {
				t.Errorf("a server was asked: %t", asked)
			}
			switch tt.status {
			case 503:
				if body := text(t, res); res.Header.Get("Retry-After") != "60" || !strings.Contains(body, "Back at noon.") {
					t.Errorf("Retry-After %q, page %s", res.Header.Get("Retry-After"), body)
				}
			case 405:
				if res.Header.Get("Allow") != "GET, HEAD" {
					t.Errorf("Allow: %s", res.Header.Get("Allow"))
				}
			}
			wantHSTS := ""
			if x.Site == "shop.test" && x.Scheme == "https" {
				wantHSTS = "max-age=86400; includeSubDomains"
			}
			if got := res.Header.Get("Strict-Transport-Security"); got != wantHSTS {
				t.Errorf("HSTS %q, want %q", got, wantHSTS)
			}
		})
	}
}

func from(peer string, r *http.Request) *http.Request {
	r.RemoteAddr = peer
	return r
}

func TestAccess_PortOfHTTPS(t *testing.T) {
	tests := []struct {
		name, listen, host, want string
	}{
		{"443 is not written", `{http: ":80", https: ":443"}`, "shop.test", "https://shop.test/"},
		{"another port is", `{http: ":80", https: ":8443"}`, "shop.test", "https://shop.test:8443/"},
		{"443 among others", `{http: ":80", https: [":8443", ":443"]}`, "shop.test", "https://shop.test/"},
		{"a visitor by port 80, where nobody listens, came by a mapped port", `{http: ":8080", https: ":8443"}`, "shop.test", "https://shop.test/"},
		{"one who wrote the port did not", `{http: ":8080", https: ":8443"}`, "shop.test:8080", "https://shop.test:8443/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, strings.Replace(secure, `{http: ":80", https: ":443"}`, tt.listen, 1))
			if got := d.serve(request("GET", "http://"+tt.host+"/")).Header.Get("Location"); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestAccess_WithoutHTTPSNothingIsRedirected(t *testing.T) {
	d := newDoor(t, plain)
	if res := d.serve(request("GET", "/")); res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestHeaders_SiteThenRoute(t *testing.T) {
	d := newDoor(t, `listen: {http: ":80"}`+oneOrigin+`
sites:
  - hosts: [shop.test]
    headers:
      request: {set: {X-Team: site, X-Site: s}, remove: [Cookie]}
      response: {set: {X-Frame-Options: DENY, X-Team: site}, add: {Link: "<a>"}, remove: [Server]}
    routes:
      - {path: /*, origin: shop, headers: {request: {set: {x-team: route}, add: {X-Site: r}}, response: {set: {X-Team: route}, add: {Link: "<b>"}}}}
`)
	d.servers.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "secret/1.0")
		w.Header().Set("X-Request-Id", "the server's")
		w.WriteHeader(200)
	}
	for range 2 { // the second one sees what the first one changed, if it did
		res := d.serve(request("GET", "/", "Cookie: a=b", "X-Site: visitor's"))
		h, back := d.servers.last().Header, res.Header
		if h["Cookie"] != nil || strings.Join(h["X-Team"], ",") != "route" || strings.Join(h["X-Site"], ",") != "s,r" {
			t.Errorf("to the server: %v", h)
		}
		if back["Server"] != nil || back.Get("X-Frame-Options") != "DENY" || strings.Join(back["X-Team"], ",") != "route" ||
			strings.Join(back["Link"], ",") != "<a>,<b>" || back.Get("X-Request-Id") != d.seen().ID {
			t.Errorf("to the visitor: %v", back)
		}
	}
	if res := d.serve(request("GET", "/a%2fb")); res.StatusCode != 400 || res.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("our own pages: %d %v", res.StatusCode, res.Header)
	}
}
