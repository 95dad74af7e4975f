package route

import (
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	tests := []struct {
		name, in, host, port string
		wrong                bool
	}{
		{name: "a plain name", in: "shop.example.org", host: "shop.example.org"},
		{name: "letter case, trailing dot and port", in: "Shop.EXAMPLE.org.:8443", host: "shop.example.org", port: "8443"},
		{name: "an empty port is none", in: "shop.example.org:", host: "shop.example.org"},
		{name: "punycode of letters", in: "bücher.example", host: "xn--bcher-kva.example"},
		{name: "punycode as it is", in: "XN--BCHER-KVA.example", host: "xn--bcher-kva.example"},
		{name: "an ideographic full stop is a dot", in: "a。example", host: "a.example"},
		{name: "full width letters are letters", in: "ｓｈｏｐ.example", host: "shop.example"},
		{name: "an internal name with underscore", in: "my_service", host: "my_service"},
		{name: "IPv4", in: "127.0.0.1:80", host: "127.0.0.1", port: "80"},
		{name: "IPv6", in: "[2001:DB8:0:0::1]:443", host: "[2001:db8::1]", port: "443"},
		{name: "empty", in: "", wrong: true},
		{name: "only a dot", in: ".", wrong: true},
		{name: "empty label", in: "a..b", wrong: true},
		{name: "two trailing dots", in: "a..", wrong: true},
		{name: "leading dot", in: ".a", wrong: true},
		{name: "slash", in: "a/b", wrong: true},
		{name: "space", in: "a b", wrong: true},
		{name: "userinfo", in: "user@a", wrong: true},
		{name: "percent", in: "a%2eb", wrong: true},
		{name: "comma", in: "a,b", wrong: true},
		{name: "NUL", in: "a\x00b", wrong: true},
		{name: "port that is no number", in: "a:b", wrong: true},
		{name: "port 0", in: "a:0", wrong: true},
		{name: "port beyond 65535", in: "a:65536", wrong: true},
		{name: "two ports", in: "a:1:2", wrong: true},
		{name: "only a port", in: ":80", wrong: true},
		{name: "IPv6 without brackets", in: "::1", wrong: true},
		{name: "IPv6 with zone", in: "[fe80::1%25eth0]", wrong: true},
		{name: "IPv4 in brackets", in: "[127.0.0.1]", wrong: true},
		{name: "bracket without end", in: "[::1", wrong: true},
		{name: "text behind the bracket", in: "[::1]x", wrong: true},
		{name: "long label", in: strings.Repeat("a", 64) + ".org", wrong: true},
		{name: "long name", in: strings.Repeat("a.", 127) + "org", wrong: true},
		{name: "broken punycode", in: "xn--a.example", wrong: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host, port, err := Host(tt.in)
			if host != tt.host || port != tt.port || (err != nil) != tt.wrong {
				t.Errorf("Host(%q) = %q, %q, %v", tt.in, host, port, err)
			}
		})
	}
}

func TestHost_AllocatesNothingForANormalHost(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Host("shop.example.org:8443") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"Shop.Example.org.:80", "bücher.example", "xn--bcher-kva.example", "[::1]:80", "a。b", "a\u00adb", "\u200d.a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		host, port, err := Host(in)
		if err != nil {
			return
		}
		again, none, err := Host(host)
		if err != nil || again != host || none != "" {
			t.Errorf("Host(%q) = %q, and of that %q, %q, %v", in, host, again, none, err)
		}
		if strings.ContainsAny(host, "/\\@?# \t\r\n%,\x00") || strings.ContainsAny(port, ":/ ") || host != strings.ToLower(host) {
			t.Errorf("Host(%q) = %q, %q", in, host, port)
		}
	})
}

func TestHosts(t *testing.T) {
	var h Hosts[string]
	for _, pattern := range []string{"Shop.example.org", "*.example.org", "*.shop.example.org"} {
		if err := h.Add(pattern, pattern); err != nil {
			t.Fatal(err)
		}
	}
	find := func(host string) string { v, _ := h.Find(host); return v }
	for host, want := range map[string]string{
		"shop.example.org":   "Shop.example.org",
		"www.example.org":    "*.example.org",
		"a.shop.example.org": "*.shop.example.org",
		"a.www.example.org":  "", // one label below, not two
		"example.org":        "",
		"org":                "",
		"[::1]":              "",
	} {
		if got := find(host); got != want {
			t.Errorf("%s leads to %q, want %q", host, got, want)
		}
	}
	if err := h.Add("*", "all"); err != nil {
		t.Fatal(err)
	}
	if got := find("elsewhere.example"); got != "all" {
		t.Errorf("any other host leads to %q", got)
	}
	for _, bad := range []string{"*", "SHOP.example.org.", "*.EXAMPLE.org", "*.*.org", "a b", "a:80", ""} {
		if err := h.Add(bad, ""); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
