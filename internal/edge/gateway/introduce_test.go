package gateway

import (
	"strings"
	"testing"
)

const trusting = `listen: {http: ":80"}
trusted_proxies: [192.0.2.0/24, "2001:db8::/32"]` + oneOrigin + `
sites: [{hosts: [shop.test], routes: [{path: /*, origin: shop}]}]
`

func TestIntroduce_WhoAsks(t *testing.T) {
	const nobody, proxy = "203.0.113.5:1", "192.0.2.1:1"
	tests := []struct {
		name, peer string
		fields     []string
		client     string
		chain      string // X-Forwarded-For to the server
		scheme     string
		host       string // X-Forwarded-Host to the server
	}{
		{"a visitor speaks for nobody else", nobody, []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.test", "Forwarded: for=1.2.3.4"},
			"203.0.113.5", "203.0.113.5", "http", "shop.test"},
		{"IPv6", "[2001:abc::1]:443", nil, "2001:abc::1", "2001:abc::1", "http", "shop.test"},
		{"IPv4 in IPv6 form", "[::ffff:203.0.113.5]:443", nil, "203.0.113.5", "203.0.113.5", "http", "shop.test"},
		{"a proxy speaks for its visitor", proxy, []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: Shop.Test:8443"},
			"1.2.3.4", "1.2.3.4, 192.0.2.1", "https", "shop.test:8443"},
		{"a proxy that says nothing is the visitor", proxy, nil, "192.0.2.1", "192.0.2.1", "http", "shop.test"},
		{"what an untrusted proxy says is left out", proxy, []string{"X-Forwarded-For: 9.9.9.9, 1.2.3.4, 192.0.2.7"}, "1.2.3.4", "1.2.3.4, 192.0.2.7, 192.0.2.1", "http", "shop.test"},
		{"Forwarded", proxy, []string{`Forwarded: for="[2001:abc::7]:80";proto=https;host=shop.test`}, "2001:abc::7", "2001:abc::7, 192.0.2.1", "https", "shop.test"},
		{"a host that is none is not believed", proxy, []string{"X-Forwarded-Host: a b"}, "192.0.2.1", "192.0.2.1", "http", "shop.test"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, trusting)
			r := request("GET", "/", tt.fields...)
			r.RemoteAddr = tt.peer
			d.serve(r)
			x, got := d.seen(), d.servers.last()
			if got == nil {
				t.Fatalf("refused: %s", x.Denial)
			}
			h := got.Header
			if x.Client.String() != tt.client || h.Get("X-Forwarded-For") != tt.chain || x.Scheme != tt.scheme ||
				h.Get("X-Forwarded-Proto") != tt.scheme || h.Get("X-Forwarded-Host") != tt.host || got.Host != tt.host {
				t.Errorf("client %v, scheme %s, host %s, header %v", x.Client, x.Scheme, got.Host, h)
			}
		})
	}
}

func TestIntroduce_RequestID(t *testing.T) {
	tests := []struct {
		name, peer, id string
		kept           bool
	}{
		{"a proxy's is kept", "192.0.2.1:1", "abc-1", true},
		{"a visitor's is not", "203.0.113.5:1", "abc-1", false},
		{"one that could break a log is not", "192.0.2.1:1", `a"b`, false},
		{"one without end is not", "192.0.2.1:1", strings.Repeat("a", longestID+1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoor(t, trusting)
			r := request("GET", "/", "X-Request-Id: "+tt.id)
			r.RemoteAddr = tt.peer
			d.servers.answer = nil
			res := d.serve(r)
			x := d.seen()
			got := d.servers.last().Header["X-Request-Id"]
			if len(got) != 1 || got[0] != x.ID || res.Header.Get("X-Request-Id") != x.ID || x.ID == "" {
				t.Errorf("exchange %q, server %q, visitor %q", x.ID, got, res.Header.Get("X-Request-Id"))
			}
			if (x.ID == tt.id) != tt.kept {
				t.Errorf("the id is %q", x.ID)
			}
		})
	}
}

func FuzzGoodID(f *testing.F) {
	f.Add("01j-abc")
	f.Fuzz(func(t *testing.T, s string) {
		if goodID(s) && (len(s) > longestID || strings.ContainsAny(s, "\"\\\r\n \x00<>&,;")) {
			t.Errorf("%q passes", s)
		}
	})
}
