package gateway

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestInspect_Refusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *http.Request)
		status int
		denial string
	}{
		{"an invalid host", func(r *http.Request) { r.Host = "shop.test/x" }, 400, "bad_host"},
		{"no host", func(r *http.Request) { r.Host = "" }, 400, "bad_host"},
		{"a host with an empty label", func(r *http.Request) { r.Host = "shop..test" }, 400, "bad_host"},
		{"a Host beside another :authority", func(r *http.Request) { r.Header.Set("Host", "other.test") }, 400, "bad_host"},
		{"a backslash in the path", func(r *http.Request) { r.RequestURI = `/a\b` }, 400, "bad_path"},
		{"a NUL in the path", func(r *http.Request) { r.RequestURI = "/a%00b" }, 400, "bad_path"},
		{"a path above the root", func(r *http.Request) { r.RequestURI = "/../etc" }, 400, "bad_path"},
		{"dots hidden twice", func(r *http.Request) { r.RequestURI = "/a/%252e%252e/b" }, 400, "bad_path"},
		{"a fragment in the query", func(r *http.Request) { r.RequestURI = "/a?b#c" }, 400, "bad_path"},
		{"an asterisk for GET", func(r *http.Request) { r.RequestURI = "*" }, 400, "bad_path"},
		{"an empty target", func(r *http.Request) { r.RequestURI = "" }, 400, "bad_path"},
		{"userinfo in an absolute target", func(r *http.Request) { absolute(r, "http://me@shop.test/") }, 400, "bad_path"},
		{"an absolute target of another scheme", func(r *http.Request) { absolute(r, "ftp://shop.test/") }, 400, "bad_path"},
		{"an absolute target without a host", func(r *http.Request) { absolute(r, "http:///x") }, 400, "bad_path"},
		{"an opaque target", func(r *http.Request) { absolute(r, "http:x") }, 400, "bad_path"},
		{"an absolute :path", func(r *http.Request) { over(r, 2); absolute(r, "http://other.test/") }, 400, "bad_path"},
		{"an encoded slash", func(r *http.Request) { r.RequestURI = "/a%2Fb" }, 400, "encoded_slash"},
		{"a target that is too long", func(r *http.Request) { r.RequestURI = "/" + strings.Repeat("a", 8<<10) }, 414, "target_too_long"},
		{"too many fields", func(r *http.Request) {
			for i := range 101 {
				r.Header.Set(fmt.Sprintf("X-%d", i), "1")
			}
		}, 431, "too_many_fields"},
		{"too many lines of one field", func(r *http.Request) { r.Header["X"] = make([]string, 101) }, 431, "too_many_fields"},
		{"two lengths", func(r *http.Request) { r.ContentLength = 5; r.Header["Content-Length"] = []string{"5", "5"} }, 400, "bad_framing"},
		{"a length that is no number", func(r *http.Request) { over(r, 2); r.Header.Set("Content-Length", "abc") }, 400, "bad_framing"},
		{"a length that nothing follows", func(r *http.Request) { over(r, 2); r.Header.Set("Content-Length", "5") }, 400, "bad_framing"},
		{"a length with a sign", func(r *http.Request) { r.ContentLength = 5; r.Header.Set("Content-Length", "+5") }, 400, "bad_framing"},
		{"Expect twice", func(r *http.Request) { r.Header["Expect"] = []string{"100-continue", "100-continue"} }, 400, "bad_expect"},
		{"an Expect of two", func(r *http.Request) { r.Header.Set("Expect", "100-continue, x") }, 417, "bad_expect"},
		{"an unknown Expect", func(r *http.Request) { r.Header.Set("Expect", "x") }, 417, "bad_expect"},
		{"TRACE", func(r *http.Request) { r.Method = "TRACE" }, 405, "method"},
		{"CONNECT", func(r *http.Request) { r.Method = "CONNECT" }, 405, "method"},
		{"CONNECT over HTTP/2, not extended", func(r *http.Request) { over(r, 2); r.Method = "CONNECT" }, 405, "method"},
		{"a protocol without CONNECT", func(r *http.Request) { over(r, 2); r.Header[protocolField] = []string{"websocket"} }, 400, "bad_framing"},
		{"HTTP/2 that calls itself plain", func(r *http.Request) { over(r, 2); r.TLS = nil }, 400, "bad_scheme"},
		{"an unknown host", func(r *http.Request) { r.Host = "other.test" }, 421, "unknown_host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, plain)
			r := request("GET", "/")
			tt.change(r)
			res := d.serve(r)
			if x := d.seen(); res.StatusCode != tt.status || x.Denial != tt.denial {
				t.Errorf("%d %q, want %d %q", res.StatusCode, x.Denial, tt.status, tt.denial)
			}
			if d.servers.last() != nil {
				t.Error("a server was asked")
			}
			closes := tt.status != 421 && tt.denial != "encoded_slash" && r.ProtoMajor == 1
			if got := res.Header.Get("Connection") == "close"; got != closes {
				t.Errorf("the connection is closed: %t, want %t", got, closes)
			}
			if tt.status == 405 && res.Header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
}

// absolute gives r an absolute target as net/http would.
func absolute(r *http.Request, target string) {
	r.RequestURI = target
	u, err := r.URL.Parse(target)
	if err != nil {
		panic(err)
	}
	r.URL = u
}

// over makes r one of HTTP/2 or 3.
func over(r *http.Request, major int) {
	r.ProtoMajor, r.ProtoMinor, r.Proto = major, 0, fmt.Sprintf("HTTP/%d.0", major)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, ServerName: "shop.test"}
}

func TestInspect_OneNormalForm(t *testing.T) {
	tests := []struct {
		name, host, target    string
		wantHost, wantTarget  string // that the server gets
		exchangeHost, logPath string
	}{
		{"what is normal stays", "shop.test", "/a/b?c=d", "shop.test", "/a/b?c=d", "shop.test", "/a/b"},
		{"host in capitals with a dot", "SHOP.Test.", "/", "shop.test", "/", "shop.test", "/"},
		{"the scheme's own port goes", "shop.test:80", "/", "shop.test", "/", "shop.test", "/"},
		{"another port stays", "Shop.test:8080", "/", "shop.test:8080", "/", "shop.test", "/"},
		{"letters that need not be encoded", "shop.test", "/%61/%2e/b", "shop.test", "/a/b", "shop.test", "/a/b"},
		{"dots and slashes", "shop.test", "/a//./b/../c", "shop.test", "/a/c", "shop.test", "/a/c"},
		{"the query, byte for byte", "shop.test", "/?a;b=%zz&%41", "shop.test", "/?a;b=%zz&%41", "shop.test", "/"},
		{"an empty query", "shop.test", "/a?", "shop.test", "/a?", "shop.test", "/a"},
		{"reserved letters, literal and encoded", "shop.test", "/a@b%40c", "shop.test", "/a@b%40c", "shop.test", "/a@b%40c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, plain)
			r := request("GET", "/")
			r.Host, r.RequestURI = tt.host, tt.target
			d.serve(r)
			got := d.servers.last()
			if got == nil {
				t.Fatal("refused")
			}
			target := got.URL.RawPath
			if got.URL.RawQuery != "" || got.URL.ForceQuery {
				target += "?" + got.URL.RawQuery
			}
			x := d.seen()
			if got.Host != tt.wantHost || target != tt.wantTarget || x.Host != tt.exchangeHost || x.Path != tt.logPath {
				t.Errorf("server: %s %s, exchange: %s %s", got.Host, target, x.Host, x.Path)
			}
		})
	}
}

func TestInspect_AbsoluteTargets(t *testing.T) {
	for target, want := range map[string]string{
		"http://shop.test":              "/",
		"http://shop.test?q":            "/?q",
		"http://SHOP.test:80/a/../b?q":  "/b?q",
		"https://shop.test/a%2e/":       "/a./",
		"http://shop.test/a?b=http://x": "/a?b=http://x",
	} {
		d := newDoor(t, plain)
		r := request("GET", "/")
		absolute(r, target)
		r.Host = r.URL.Host
		d.serve(r)
		got := d.servers.last()
		if got == nil || got.URL.RequestURI() != want || got.Host != "shop.test" || got.URL.Host != "" {
			t.Errorf("%s became %v", target, got)
		}
	}
}

func TestInspect_OptionsAsterisk(t *testing.T) {
	d := newDoor(t, plain)
	r := request("OPTIONS", "/")
	r.RequestURI = "*"
	if res := d.serve(r); res.StatusCode != 200 || res.Header.Get("Allow") == "" || d.servers.last() != nil {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func TestInspect_WhatTheServerGets(t *testing.T) {
	const always = "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Request-Id"
	tests := []struct {
		name   string
		fields []string
		want   string // names, besides always
	}{
		{"an ordinary request", []string{"Accept: */*", "Cookie: a=b"}, "Accept, Cookie"},
		{"hop-by-hop fields go", []string{"Connection: keep-alive", "Keep-Alive: 5", "Proxy-Connection: x", "Proxy-Authorization: x", "Te: gzip", "Trailer: X"}, ""},
		{"all that Connection names goes, in any case, on any line", []string{"Connection: close, X-A", "Connection: x-B ,, ", "X-A: 1", "X-B: 1", "X-C: 1"}, "X-C"},
		{"nobody takes our own away", []string{"Connection: X-Forwarded-For, X-Request-Id, x-forwarded-proto, X-Forwarded-Host"}, ""},
		{"trailers may be wanted", []string{"Te: trailers, deflate;q=0.5"}, "Te"},
		{"a change of protocol", []string{"Connection: Upgrade, X-A", "Upgrade: websocket", "X-A: 1"}, "Connection, Upgrade"},
		{"h2c is not one", []string{"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"}, ""},
		{"nor is a choice of two", []string{"Connection: Upgrade", "Upgrade: websocket, h2c"}, ""},
		{"nor one that Connection does not name", []string{"Upgrade: websocket"}, ""},
		{"nor two lines", []string{"Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c"}, ""},
		{"names with _ or . go", []string{"X_Forwarded_For: 1", "X.A: 1", "Content_Length: 1", "X-B: 1"}, "X-B"},
		{"what only proxies say goes", []string{"Forwarded: for=1.1.1.1", "X-Real-IP: 1.1.1.1", "X-Forwarded-Port: 1", "X-Forwarded-User: a",
			"SSL-Client-Verify: SUCCESS", "X-SSL-Client-Cert: x", "X-Client-Cert: x", "Client-Cert: x", "Remote-User: a", "X-Original-URL: /admin"}, ""},
		{"what only we say goes", []string{"Evergate-Attempt: 7", "Evergate-Not-Processed: 1"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, plain)
			d.serve(request("GET", "/", tt.fields...))
			var want []string
			want = append(want, strings.Split(always, ", ")...)
			if tt.want != "" {
				want = append(want, strings.Split(tt.want, ", ")...)
			}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(d.servers.last().Header)); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestInspect_AllowedOddNames(t *testing.T) {
	d := newDoor(t, strings.Replace(plain, "origin: shop}", "origin: shop, allow_headers: [my_token, x_forwarded_for]}", 1))
	d.serve(request("GET", "/", "My_token: 1", "My_other: 1", "X_forwarded_for: 1"))
	h := d.servers.last().Header
	if h["My_token"] == nil || h["My_other"] != nil || h["X_forwarded_for"] != nil {
		t.Errorf("got %v", h)
	}
}

func TestInspect_ExtendedConnect(t *testing.T) {
	for _, major := range []int{2, 3} {
		d := newDoor(t, plain)
		r := request("CONNECT", "/chat", "Sec-Websocket-Version: 13")
		r.RequestURI, r.Host, r.ContentLength = "/chat", "shop.test", -1
		r.URL.Path, r.URL.Host = "/chat", ""
		over(r, major)
		if major == 3 {
			r.Proto = "websocket" // as quic-go says it
		} else {
			r.Header[protocolField] = []string{"websocket"}
		}
		body := r.Body
		d.serve(r)
		got := d.servers.last()
		if got == nil || got.Header[protocolField][0] != "websocket" || got.URL.RawPath != "/chat" || got.Body != body {
			t.Errorf("HTTP/%d: %+v", major, got)
		}
		if x := d.seen(); x.Proto != fmt.Sprintf("HTTP/%d.0", major) {
			t.Errorf("logged as %s", x.Proto)
		}
	}
}

func TestEndsConnection(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *http.Request)
		want   bool
	}{
		{"HTTP/1.1 goes on", func(*http.Request) {}, false},
		{"HTTP/1.0 ends", func(r *http.Request) { r.ProtoMinor = 0 }, true},
		{"a chunked body ends it", func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, true},
		{"HTTP/2 goes on", func(r *http.Request) { over(r, 2) }, false},
	}
	for _, tt := range tests {
		d := newDoor(t, plain)
		r := request("GET", "/")
		tt.change(r)
		if res := d.serve(r); (res.Header.Get("Connection") == "close") != tt.want || res.StatusCode != 200 {
			t.Errorf("%s: %d %v", tt.name, res.StatusCode, res.Header)
		}
	}
}
