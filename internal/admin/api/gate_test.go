package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

func TestGate_FindsOutWhoAsks(t *testing.T) {
	f := newFixture(t)
	expired := f.token("old", token.Admin, start.Add(time.Hour))
	later := f.token("new", token.Admin, start.Add(3*time.Hour))
	f.now = start.Add(2 * time.Hour)
	flip := func(s string) string { // another secret for the same id
		last := byte('0')
		if s[len(s)-2] == '0' {
			last = '1'
		}
		return s[:len(s)-2] + string(last) + s[len(s)-1:]
	}
	tests := []struct {
		name, method, header string
		status               int
		kind                 string
	}{
		{"nobody", "GET", "", 401, kindToken},
		{"a token", "GET", "Bearer " + later, 200, ""},
		{"a token in other letters of the scheme", "GET", "bearer  " + later, 200, ""},
		{"a token that is no token", "GET", "Bearer x", 401, kindToken},
		{"an empty token", "GET", "Bearer ", 401, kindToken},
		{"a wrong secret for an id that there is", "GET", "Bearer " + flip(later), 401, kindToken},
		{"an expired token", "GET", "Bearer " + expired, 401, kindExpired},
		{"a wrong secret for an expired token hears nothing of it", "GET", "Bearer " + flip(expired), 401, kindToken},
		{"a token as a browser's password", "GET", "Basic " + basic("anna", later), 200, ""},
		{"a wrong password", "GET", "Basic " + basic("anna", "x"), 401, kindToken},
		{"a password that is no base64", "GET", "Basic ?", 401, kindToken},
		{"a password for a change", "POST", "Basic " + basic("anna", later), 401, kindToken},
		{"another scheme", "GET", "Digest x", 401, kindToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := base + "/status"
			if tt.method == "POST" {
				path = base + "/reload"
			}
			r := httptest.NewRequestWithContext(t.Context(), tt.method, path, nil)
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			w := f.do(r)
			if tt.status == http.StatusOK {
				decode[Status](t, w, tt.status)
				return
			}
			problemIn(t, w, tt.status, tt.kind)
			if got := w.Header().Values("WWW-Authenticate"); len(got) != 2 {
				t.Errorf("WWW-Authenticate is %q", got)
			}
		})
	}
}

func TestGate_RefusesASecondAuthorization(t *testing.T) {
	f := newFixture(t)
	r := f.request(http.MethodGet, base+"/status", "")
	r.Header.Add("Authorization", "Bearer x")
	problemIn(t, f.do(r), http.StatusUnauthorized, kindToken)
}

func TestGate_TakesABrowsersPasswordForItsOwnPageOnly(t *testing.T) {
	for site, want := range map[string]int{"": 200, "none": 200, "same-origin": 200, "same-site": 403, "cross-site": 403, "new-word": 403} {
		t.Run(site, func(t *testing.T) {
			f := newFixture(t)
			for _, path := range []string{"/api/", base + "/events", base + "/status"} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, path, nil)
				r.SetBasicAuth("anna", f.tokens[token.Viewer])
				if site != "" {
					r.Header.Set("Sec-Fetch-Site", site)
				}
				w := f.do(r)
				if path == "/api/" && want == 200 && w.Code == http.StatusMethodNotAllowed {
					continue
				}
				if w.Code != want {
					t.Errorf("%s: %d, want %d", path, w.Code, want)
				}
				if w.Header().Get("WWW-Authenticate") != "" {
					t.Errorf("%s: the browser is told to ask for another password", path)
				}
			}
		})
	}
}

func TestGate_APageOfAnotherSiteMakesNoBrowserAskForAPassword(t *testing.T) {
	f := newFixture(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := f.do(r)
	problemIn(t, w, http.StatusUnauthorized, kindToken)
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || !strings.HasPrefix(got[0], "Bearer") {
		t.Errorf("WWW-Authenticate is %q", got)
	}
}

func basic(name, password string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(name, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

func TestGate_SlowsDownGuessesAndNobodyElse(t *testing.T) {
	f := newFixture(t)
	ask := func(from, shown string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"/status", nil)
		r.RemoteAddr = from
		r.Header.Set("Authorization", "Bearer "+shown)
		return f.do(r)
	}
	for i := range failedBurst {
		if w := ask("192.0.2.1:1000", "guess"); w.Code != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	w := ask("192.0.2.1:2000", "guess")
	problemIn(t, w, http.StatusTooManyRequests, kindRate)
	if got := w.Header().Get("Retry-After"); got != "6" {
		t.Errorf("Retry-After is %q", got)
	}
	if w := ask("192.0.2.1:3000", f.tokens[token.Viewer]); w.Code != http.StatusOK {
		t.Errorf("the right token from there: %d", w.Code)
	}
	if w := ask("192.0.2.2:1000", "guess"); w.Code != http.StatusUnauthorized {
		t.Errorf("a guess from elsewhere: %d", w.Code)
	}
	f.now = f.now.Add(failedEvery)
	if w := ask("192.0.2.1:2000", "guess"); w.Code != http.StatusUnauthorized {
		t.Errorf("a guess after the wait: %d", w.Code)
	}
}

func TestGate_AFloodOfGuessesFromEverywhereWritesFewLines(t *testing.T) {
	f := newFixture(t)
	for i := range 5000 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"/status", nil)
		r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:1000", i>>8, i&0xff)
		r.Header.Set("Authorization", "Bearer guess")
		f.do(r)
	}
	if lines := strings.Count(f.log.String(), "\n"); lines == 0 || lines > 20 {
		t.Errorf("5000 guesses wrote %d lines", lines)
	}
}

func TestGate_NeverLimitsWhoCouldEndTheProcess(t *testing.T) {
	f := newFixture(t)
	ask := func(uid uint32) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, base+"/due", nil)
		return f.do(r.WithContext(context.WithValue(r.Context(), peerKey{}, &peer{uid: uid, known: true}))).Code
	}
	other := uint32(4_000_000_001)
	for i := range requestsBurst {
		if got := ask(other); got != http.StatusOK {
			t.Fatalf("request %d of another user: %d", i, got)
		}
	}
	if got := ask(other); got != http.StatusTooManyRequests {
		t.Errorf("another user's flood: %d", got)
	}
	for i := range 2 * requestsBurst {
		if root, own := ask(0), ask(uint32(os.Geteuid())); root != http.StatusOK || own != http.StatusOK {
			t.Fatalf("request %d: %d for root, %d for this user", i, root, own)
		}
	}
}

func TestGate_LimitsRequestsOfEachCaller(t *testing.T) {
	f := newFixture(t)
	ask := func(role token.Role) *httptest.ResponseRecorder {
		r := f.request(http.MethodGet, base+"/due", "")
		r.Header.Set("Authorization", "Bearer "+f.tokens[role])
		return f.do(r)
	}
	for i := range requestsBurst {
		if w := ask(token.Viewer); w.Code != http.StatusOK {
			t.Fatalf("request %d: %d", i, w.Code)
		}
	}
	w := ask(token.Viewer)
	problemIn(t, w, http.StatusTooManyRequests, kindRate)
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
	}
	if w := ask(token.Operator); w.Code != http.StatusOK {
		t.Errorf("somebody else: %d", w.Code)
	}
}

func TestGate_RefusesWhatBrowsersSendForOtherSites(t *testing.T) {
	tests := []struct {
		name, method string
		headers      map[string]string
		status       int
	}{
		{"a change for another site", "POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a change for another site, in an old browser", "POST", map[string]string{"Origin": "https://evil.example"}, 403},
		{"a change for a neighbour", "POST", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"a change for our own page", "POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"a change for no browser", "POST", nil, 200},
		{"a look from another site", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			path := base + "/reload"
			if tt.method == "GET" {
				path = base + "/status"
			}
			r := f.request(tt.method, path, "")
			for k, v := range tt.headers {
				r.Header.Set(k, v)
			}
			w := f.do(r)
			if tt.status == http.StatusForbidden {
				problemIn(t, w, tt.status, kindOrigin)
			} else if w.Code != tt.status {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Error("another site may read the answer")
			}
		})
	}
}

func TestGate_RequireIsForOtherHandlersToo(t *testing.T) {
	f := newFixture(t)
	var caller Caller
	h := f.gate.Require(token.Admin, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { caller, _ = CallerOf(r.Context()) }))
	ask := func(role token.Role) *httptest.ResponseRecorder {
		r := f.request(http.MethodGet, "/debug/pprof/", "")
		r.Header.Set("Authorization", "Bearer "+f.tokens[role])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	problemIn(t, ask(token.Operator), http.StatusForbidden, kindRole)
	if w := ask(token.Admin); w.Code != http.StatusOK || caller.Role != token.Admin || caller.Token == "" {
		t.Errorf("%d, caller %+v", w.Code, caller)
	}
	if _, ok := CallerOf(t.Context()); ok {
		t.Error("a context that passed no gate has a caller")
	}
}

func TestHostCheck(t *testing.T) {
	names := func() []string { return []string{"door.example.org", "v6"} }
	h := newFixture(t).gate.HostCheck(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), names)
	for host, ok := range map[string]bool{
		"127.0.0.1:8090": true, "127.0.0.1": true, "[::1]:8090": true, "[::1]": true, "localhost": true,
		"LOCALHOST:8090": true, "localhost.": true, "door.example.org:8090": true, "Door.Example.org.": true,
		"evil.example": false, "evil.example:8090": false, "door.example.org.evil.example": false,
		"": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if ok && w.Code != http.StatusOK {
			t.Errorf("%q is refused: %d", host, w.Code)
		}
		if !ok {
			problemIn(t, w, http.StatusMisdirectedRequest, kindHost)
		}
	}
}
