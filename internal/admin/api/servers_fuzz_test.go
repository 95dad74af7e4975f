package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzServerAddress asks for servers by any text in the path: only the configured
// ones are found, by exactly their name, and nothing else is ever turned.
func FuzzServerAddress(f *testing.F) {
	for _, seed := range []string{"10.0.0.11:8080", "unix:/run/app.sock", "[::1]:8080", "app.internal:80", "10.0.0.21:80", "", ".", "..", "../../levers", "%2e%2e", "a]b.state", "x\x00", "\xff", "?a=b", "drain", "{addr}"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	configured := map[string]bool{}
	for _, o := range (&door{}).Origins() {
		for _, s := range o.Servers {
			configured[s.Configured] = true
		}
	}
	f.Fuzz(func(t *testing.T, addr string, escape bool) {
		fx := newFixture(t)
		segment := addr
		if escape {
			segment = url.PathEscape(addr)
		}
		u, err := url.Parse(base + "/origins/booking/servers/" + segment + "/drain")
		if err != nil || strings.ContainsAny(segment, "?#") || !strings.HasPrefix(u.Path, base) {
			return
		}
		r := fx.request(http.MethodPost, base+"/status", `{"reason": "x"}`)
		r.URL = u
		w := fx.do(r)
		for _, c := range fx.levers.changes {
			name, ok := between(c.Lever, "origins.booking.servers[", "].state")
			if !ok || !configured[name] || escape && name != addr {
				t.Errorf("%q turned %s", addr, c.Lever)
			}
		}
		if turned := len(fx.levers.changes) == 1; turned != (w.Code == http.StatusOK) || escape && turned != configured[addr] {
			t.Errorf("%q: %d changes, %d %s", addr, len(fx.levers.changes), w.Code, w.Body)
		}
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%q: %d %s", addr, w.Code, w.Body)
		}
		if w.Code >= http.StatusBadRequest && w.Header().Get("Content-Type") != problemType {
			t.Errorf("%q: %d of type %s", addr, w.Code, w.Header().Get("Content-Type"))
		}
	})
}
