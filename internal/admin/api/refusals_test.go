package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/evergate/evergate/internal/admin/token"
)

func TestRefusalsAreCountedByTheirReason(t *testing.T) {
	tests := []struct {
		why  refusal
		send func(f *fixture, r *http.Request) *http.Request // changes a GET of the tokens by an admin
	}{
		{ofNoToken, func(_ *fixture, r *http.Request) *http.Request { r.Header.Del("Authorization"); return r }},
		{ofNoToken, func(_ *fixture, r *http.Request) *http.Request { r.Header.Add("Authorization", "x"); return r }},
		{ofToken, func(_ *fixture, r *http.Request) *http.Request { r.Header.Set("Authorization", "Bearer x"); return r }},
		{ofExpired, func(f *fixture, r *http.Request) *http.Request {
			r.Header.Set("Authorization", "Bearer "+f.token("old", token.Admin, f.now.Add(time.Hour)))
			f.now = f.now.Add(2 * time.Hour)
			return r
		}},
		{ofRole, func(f *fixture, r *http.Request) *http.Request {
			r.Header.Set("Authorization", "Bearer "+f.tokens[token.Operator])
			return r
		}},
		{ofOtherSite, func(_ *fixture, r *http.Request) *http.Request {
			r.Method = http.MethodPost
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return r
		}},
		{ofPeer, func(_ *fixture, r *http.Request) *http.Request {
			return r.WithContext(context.WithValue(r.Context(), peerKey{}, &peer{}))
		}},
		{ofHost, func(_ *fixture, r *http.Request) *http.Request { r.Host = "evil.example"; return r }},
		{ofRate, func(f *fixture, r *http.Request) *http.Request {
			for range requestsBurst {
				f.do(r)
			}
			return r
		}},
		{ofGuesses, func(f *fixture, r *http.Request) *http.Request {
			r.Header.Set("Authorization", "Bearer x")
			for range failedBurst {
				f.do(r)
			}
			return r
		}},
	}
	seen := map[refusal]bool{}
	for _, tt := range tests {
		t.Run(string(tt.why), func(t *testing.T) {
			f := newFixture(t)
			r := tt.send(f, f.request(http.MethodGet, base+"/tokens", ""))
			if tt.why != ofHost {
				r.Host = "localhost"
			}
			before := testutil.ToFloat64(f.gate.refused.counter.WithLabelValues(string(tt.why)))
			w := httptest.NewRecorder()
			f.gate.HostCheck(f.handler, nil).ServeHTTP(w, r)
			if got := testutil.ToFloat64(f.gate.refused.counter.WithLabelValues(string(tt.why))) - before; got != 1 || w.Code < 400 {
				t.Errorf("answer %d was counted %g times", w.Code, got)
			}
			if n, err := testutil.GatherAndCount(f.registry, "evergate_admin_refused_total"); err != nil || n != len(allRefusals) {
				t.Errorf("%d series, %v; want %d from the beginning", n, err, len(allRefusals))
			}
		})
		seen[tt.why] = true
	}
	for _, why := range allRefusals {
		if !seen[why] {
			t.Errorf("nothing here is refused as %s", why)
		}
	}
}
