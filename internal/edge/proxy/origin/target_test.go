package origin

import (
	"net/netip"
	"testing"
)

func TestTarget(t *testing.T) {
	ten := []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	tests := []struct {
		name, url, host             string
		server, address, value, sni string
	}{
		{"an address", "http://10.0.0.1:8080", "preserve", "10.0.0.1:8080", "10.0.0.1:8080", "", ""},
		{"an address without port", "http://10.0.0.1", "server", "10.0.0.1:80", "10.0.0.1:80", "10.0.0.1", ""},
		{"an IPv6 address", "http://[::1]:8080", "server", "[::1]:8080", "[::1]:8080", "[::1]:8080", ""},
		{"a name", "http://app.test:8080", "server", "app.test:8080[10.0.0.1]", "10.0.0.1:8080", "app.test:8080", ""},
		{"a name over TLS", "https://app.test", "server", "app.test:443[10.0.0.1]", "10.0.0.1:443", "app.test", "app.test"},
		{"the usual port is not in Host", "https://app.test:443", "server", "app.test:443[10.0.0.1]", "10.0.0.1:443", "app.test", "app.test"},
		{"a fixed Host", "http://10.0.0.1:8080", "api.test", "10.0.0.1:8080", "10.0.0.1:8080", "api.test", ""},
		{"a unix socket", "unix:/run/app.sock", "server", "unix:/run/app.sock", "/run/app.sock", "localhost", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := settingsFor(tt.url)
			cfg.Host = tt.host
			got, err := newTarget(cfg.Servers[0], cfg)
			if err != nil {
				t.Fatal(err)
			}
			p := got.places(ten)[0]
			spec := got.spec(p.address)
			sni := ""
			if spec.TLS != nil {
				sni = spec.TLS.ServerName
			}
			if p.name != tt.server || p.address != tt.address || got.hostValue() != tt.value || sni != tt.sni {
				t.Errorf("%s at %s, Host %q, SNI %q; want %s at %s, %q, %q",
					p.name, p.address, got.hostValue(), sni, tt.server, tt.address, tt.value, tt.sni)
			}
		})
	}
}

func FuzzTarget(f *testing.F) {
	for _, u := range []string{"http://10.0.0.1:80", "https://[::1]", "unix:/x", "http://a:b:c", "http://", "unix:", "http://a/p?q#f", "http://[::1%25eth0]:80"} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, url string) {
		cfg := settingsFor(url)
		got, err := newTarget(cfg.Servers[0], cfg)
		if err != nil {
			return
		}
		for _, p := range got.places([]netip.Addr{netip.MustParseAddr("10.0.0.1")}) {
			if p.name == "" || p.address == "" {
				t.Errorf("%q: server %q at %q", url, p.name, p.address)
			}
			got.spec(p.address)
			got.identity(p)
		}
	})
}
