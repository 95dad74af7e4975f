package config

import "testing"

func TestHostName_IsTheFormThatRequestsAreComparedWith(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"lower case", "Shop.Example.ORG", "shop.example.org"},
		{"no dot at the end", "a.example.", "a.example"},
		{"punycode", "Bücher.example", "xn--bcher-kva.example"},
		{"punycode that is there already", "XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		{"another full stop", "a。example", "a.example"},
		{"underscores of internal names", "my_app", "my_app"},
		{"IPv4", "192.0.2.7", "192.0.2.7"},
		{"IPv6 gets brackets", "2001:DB8::1", "[2001:db8::1]"},
		{"IPv6 in brackets", "[2001:db8:0::1]", "[2001:db8::1]"},
		{"nothing", "", ""},
		{"an empty label", "a..b", ""},
		{"a hyphen at the edge", "a-.example", ""},
		{"a port", "a.example:80", ""},
		{"a path", "a.example/", ""},
		{"a space", "a b", ""},
		{"a zone", "fe80::1%eth0", ""},
		{"IPv4 in brackets", "[192.0.2.7]", ""},
		{"broken punycode", "xn--a", ""},
		{"a label of 64", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := hostName(tt.in); got != tt.want || ok != (tt.want != "") {
				t.Errorf("%q is %q, %t, want %q", tt.in, got, ok, tt.want)
			}
		})
	}
}

func TestAuthority_MayHaveAPort(t *testing.T) {
	tests := []struct{ in, want string }{
		{"A.example", "a.example"}, {"A.example:8080", "a.example:8080"}, {"[::1]:80", "[::1]:80"}, {"::1", "[::1]"},
		{"a:0", ""}, {"a:80:80", ""}, {"a:99999", ""}, {":80", ""}, {"", ""},
	}
	for _, tt := range tests {
		if got, ok := authority(tt.in); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%q is %q, %t, want %q", tt.in, got, ok, tt.want)
		}
	}
}

func FuzzHostName(f *testing.F) {
	for _, s := range []string{"a.example", "Bücher.example.", "[::1]", "xn--bcher-kva", "a。b", "١.example", "ß.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, ok := hostName(s)
		if !ok {
			return
		}
		if again, ok := hostName(name); !ok || again != name {
			t.Errorf("%q is %q, which is %q, %t", s, name, again, ok)
		}
	})
}
