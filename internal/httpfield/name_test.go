package httpfield

import (
	"net/http"
	"strings"
	"testing"
)

func TestInspectName(t *testing.T) {
	tests := []struct {
		name             string
		token, canonical bool
	}{
		{"Content-Type", true, true},
		{"content-type", true, false},
		{"Content-type", true, false},
		{"CONTENT-TYPE", true, false},
		{"X-1a", true, true},
		{"X--A", true, true},
		{"Etag", true, true},
		{"ETag", true, false},
		{"a_b.c", true, false},
		{"", false, false},
		{"A b", false, false},
		{"A:", false, false},
		{"A\x00", false, false},
		{"\x80", false, false},
	}
	for _, tt := range tests {
		if token, canonical := InspectName(tt.name); token != tt.token || canonical != tt.canonical {
			t.Errorf("%q: token %t, canonical %t; want %t, %t", tt.name, token, canonical, tt.token, tt.canonical)
		}
	}
}

func FuzzInspectName(f *testing.F) {
	for _, name := range []string{"Content-Type", "x-a", "", "A b", "-a", "X-\u212a", "a\xff"} {
		f.Add(name)
	}
	const symbols = "!#$%&'*+-.^_`|~"
	f.Fuzz(func(t *testing.T, name string) {
		token, canonical := InspectName(name)
		if bytesToken, bytesCanonical := InspectName([]byte(name)); bytesToken != token || bytesCanonical != canonical {
			t.Errorf("%q is read in another way as bytes", name)
		}
		want := name != ""
		for i := range len(name) {
			c := name[i]
			is := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(symbols, c) >= 0
			if IsTokenByte(c) != is {
				t.Errorf("%q in a token: %t", c, !is)
			}
			want = want && is
		}
		if token != want || IsToken(name) != want {
			t.Errorf("%q: a token for InspectName %t, for IsToken %t, want %t", name, token, IsToken(name), want)
		}
		if token && canonical != (http.CanonicalHeaderKey(name) == name) {
			t.Errorf("%q: canonical %t, net/http writes %q", name, canonical, http.CanonicalHeaderKey(name))
		}
	})
}
