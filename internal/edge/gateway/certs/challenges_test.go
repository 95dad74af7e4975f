package certs

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/mholt/acmez/v3/acme"
)

func TestChallenges_AnswerWhatIsWaitedForAndPassTheRest(t *testing.T) {
	c := newChallenges()
	challenge := acme.Challenge{Type: "http-01", Token: "tok-en", KeyAuthorization: "tok-en.print"}
	if err := c.solvers([]string{"http-01"})["http-01"].Present(t.Context(), challenge); err != nil {
		t.Fatal(err)
	}
	handler := c.handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	tests := []struct {
		name, method, path string
		status             int
		body               string
	}{
		{"the token", "GET", challengePath + "tok-en", 200, "tok-en.print"},
		{"its header alone", "HEAD", challengePath + "tok-en", 200, ""},
		{"another token is for whoever is behind us", "GET", challengePath + "other", 418, ""},
		{"no token", "GET", challengePath, 418, ""},
		{"another method", "POST", challengePath + "tok-en", 418, ""},
		{"another path", "GET", "/", 418, ""},
		{"a path below", "GET", challengePath + "tok-en/x", 418, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(tt.method, "http://one.test"+tt.path, nil))
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("status %d, body %q", w.Code, w.Body)
			}
		})
	}
	if err := c.solvers([]string{"http-01"})["http-01"].CleanUp(t.Context(), challenge); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", challengePath+"tok-en", nil))
	if w.Code != http.StatusTeapot {
		t.Errorf("still answered when the order is over: %d", w.Code)
	}
}

func TestChallenges_OnlyTheAllowedKindsAreOffered(t *testing.T) {
	all := newChallenges().solvers([]string{"tls-alpn-01"})
	if len(all) != 1 || all["tls-alpn-01"] == nil {
		t.Errorf("got %v", all)
	}
}

func TestChallenges_ACertificateIsShownWhileItIsWaitedFor(t *testing.T) {
	c := newChallenges()
	solver := c.solvers([]string{"tls-alpn-01"})["tls-alpn-01"]
	for _, tt := range []struct{ kind, value, asked string }{
		{"dns", "one.test", "one.test"},
		{"ip", "192.0.2.1", "1.2.0.192.in-addr.arpa"},
	} {
		challenge := acme.Challenge{Type: "tls-alpn-01", KeyAuthorization: "x", Identifier: acme.Identifier{Type: tt.kind, Value: tt.value}}
		if err := solver.Present(t.Context(), challenge); err != nil {
			t.Fatal(err)
		}
		if c.certificate(tt.asked) == nil {
			t.Errorf("%s: no certificate", tt.value)
		}
		if err := solver.CleanUp(t.Context(), challenge); err != nil {
			t.Fatal(err)
		}
		if c.certificate(tt.asked) != nil {
			t.Errorf("%s: still there", tt.value)
		}
	}
}

func TestReverseName(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":   "1.2.0.192.in-addr.arpa",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	} {
		if got := reverseName(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}
