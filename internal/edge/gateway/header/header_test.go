package header

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/httpfield"
)

func fieldsOf(lines ...string) http.Header {
	h := make(http.Header)
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
	return h
}

func TestHopByHop(t *testing.T) {
	tests := []struct {
		name    string
		fields  []string
		left    string
		upgrade string
	}{
		{"nothing to do", []string{"Accept: a"}, "Accept", ""},
		{"the known ones", []string{"Keep-Alive: 1", "Proxy-Connection: x", "Proxy-Authenticate: x", "Proxy-Authorization: x", "Trailer: x", "Transfer-Encoding: x", "Upgrade: x"}, "", ""},
		{"those that are named, any case, any line", []string{"Connection: x-a,,\tX-B ", "connection: CLOSE, x-c", "X-A: 1", "X-B: 1", "X-C: 1", "X-D: 1"}, "X-D", ""},
		{"names that are no names hurt nobody", []string{"Connection: a b, \x80, ;", "X-D: 1"}, "X-D", ""},
		{"an upgrade", []string{"Connection: keep-alive, Upgrade", "Upgrade: websocket"}, "", "websocket"},
		{"an upgrade that is not named", []string{"Connection: keep-alive", "Upgrade: websocket"}, "", ""},
		{"two upgrades", []string{"Connection: upgrade", "Upgrade: a", "Upgrade: b"}, "", ""},
		{"TE with trailers, named as it must be", []string{"Connection: TE", "Te: deflate, Trailers;q=0.5"}, "Te", ""},
		{"TE without", []string{"Te: deflate"}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := fieldsOf(tt.fields...)
			upgrade := HopByHop(h)
			if left := strings.Join(slices.Sorted(maps.Keys(h)), " "); left != tt.left || upgrade != tt.upgrade {
				t.Errorf("left %q, upgrade %q", left, upgrade)
			}
			if te := h["Te"]; te != nil && te[0] != "trailers" {
				t.Errorf("Te: %v", te)
			}
		})
	}
}

func FuzzHopByHop(f *testing.F) {
	f.Add("close, X-A,,x-b", "websocket")
	f.Add("x-a;q=1", "")
	f.Fuzz(func(t *testing.T, connection, upgrade string) {
		h := http.Header{"Connection": {connection}, "Upgrade": {upgrade}, "X-A": {"1"}}
		HopByHop(h)
		if httpfield.HasToken([]string{connection}, "x-a") && h["X-A"] != nil || h["Connection"] != nil || h["Upgrade"] != nil {
			t.Errorf("%q left %v", connection, h)
		}
	})
}

func TestClaims(t *testing.T) {
	for name, want := range map[string]Claim{
		"Forwarded": OfProxy, "X-Forwarded-For": OfProxy, "X-Forwarded-Client-Cert": OfProxy, "X-Real-Ip": OfProxy, "Ssl-Client-Verify": OfProxy,
		"X-Ssl-Client-Dn": OfProxy, "X-Client-Cert": OfProxy, "Client-Cert-Chain": OfProxy, "X-Original-Url": OfProxy, "Remote-User": OfProxy,
		"Evergate-Attempt": OfOurs,
		"":                 Nothing, "X": Nothing, "X-": Nothing, "X-F": Nothing, "Accept": Nothing, "Cookie": Nothing, "X-Requested-With": Nothing,
		"Content-Type": Nothing, "Sec-Websocket-Key": Nothing, "Range": Nothing, "From": Nothing, "Evergate": Nothing, "X-Csrf-Token": Nothing,
	} {
		if got := Claims(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestMayAllow(t *testing.T) {
	for name, want := range map[string]bool{
		"my_token": true, "a.b": true, "x_forwarded_for": false, "Content_Length": false, "transfer.encoding": false, "Evergate_Attempt": false, "x_request_id": false,
	} {
		if got := MayAllow(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestChange(t *testing.T) {
	set, more := config.NewHeaderValue("set"), config.NewHeaderValue("more")
	c := NewChange(config.HeaderChange{
		Set: map[string]config.HeaderValue{"x-a": set, "X-B": set}, Add: map[string]config.HeaderValue{"X-B": more, "X-C": more}, Remove: []string{"x-c", "X-D"},
	})
	for range 2 { // the second one sees what the first one did to shared values
		h := fieldsOf("X-A: 1", "X-A: 2", "X-C: 1", "X-D: 1", "X-E: 1")
		c.Apply(h)
		want := fieldsOf("X-A: set", "X-B: set", "X-B: more", "X-C: more", "X-E: 1")
		if !maps.EqualFunc(h, want, slices.Equal) {
			t.Errorf("got %v, want %v", h, want)
		}
	}
	if none := NewChange(config.HeaderChange{}); none != nil {
		t.Error("a change that changes nothing")
	} else {
		none.Apply(http.Header{})
	}
}
