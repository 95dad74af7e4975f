package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/user"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
)

// plainOperator is an admin on the door's TCP listener.
func (d *door) plainOperator(t *testing.T) *operator {
	t.Helper()
	return &operator{
		base: "http://" + d.addr.Admin, token: d.socketOperator().issue(t, token.Admin),
		client: &http.Client{Transport: &http.Transport{}},
	}
}

// at is the same operator at another address.
func (o *operator) at(base string, trust *tls.Config) *operator {
	return &operator{base: base, token: o.token, client: &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}}
}

func TestAdminListener_TakesNothingThatABrowserSendsForAnotherSite(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, "admin: {hosts: [door.example]}\n"))
	secret := d.socketOperator().issue(t, token.Admin)
	bearer, page := "Bearer "+secret, "basic"
	const status, lever = "/api/v1/status", "/api/v1/levers/log.level"
	tests := []struct {
		name         string
		method, path string
		host, auth   string
		header, sent string // one more header field
		want         int
	}{
		{"by address", "GET", status, "", bearer, "", "", 200},
		{"as localhost", "GET", status, "localhost:1", bearer, "", "", 200},
		{"by a name of admin.hosts", "GET", status, "DOOR.example.:8090", bearer, "", "", 200},
		{"by a name that leads here", "GET", status, "evil.example", bearer, "", "", 421},
		{"by a name that begins as ours", "GET", status, "door.example.evil.example", bearer, "", "", 421},
		{"by an address in a name", "GET", status, "127.0.0.1.evil.example", bearer, "", "", 421},
		{"metrics by a name that leads here", "GET", "/metrics", "evil.example", "", "", "", 421},
		{"metrics without a token", "GET", "/metrics", "", "", "", "", 200},
		{"the document without a token", "GET", "/api/openapi.json", "", "", "", "", 401},
		{"the page without a token", "GET", "/api/", "", "", "", "", 401},
		{"profiles without a token", "GET", "/debug/pprof/", "", "", "", "", 401},
		{"a page in the browser", "GET", "/api/", "", page, "Sec-Fetch-Site", "none", 200},
		{"a page of another site with the browser's password", "GET", status, "", page, "Sec-Fetch-Site", "cross-site", 403},
		{"a change with the browser's password", "PUT", lever, "", page, "", "", 401},
		{"a change by a page of another site", "PUT", lever, "", bearer, "Sec-Fetch-Site", "cross-site", 403},
		{"a change by a page of another port", "PUT", lever, "", bearer, "Sec-Fetch-Site", "same-site", 403},
		{"a change of an old browser for another site", "PUT", lever, "", bearer, "Origin", "https://evil.example", 403},
		{"a change of a page without an origin", "PUT", lever, "", bearer, "Origin", "null", 403},
		{"a change as a form would send it", "PUT", lever, "", bearer, "Content-Type", "text/plain", 415},
		{"a change as another method", "POST", lever, "", bearer, "X-HTTP-Method-Override", "PUT", 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := ""
			if tt.method != http.MethodGet {
				body = `{"value": "error", "version": 0, "reason": "x"}`
			}
			r, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+d.addr.Admin+tt.path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = tt.host
			if body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			switch tt.auth {
			case "":
			case page:
				r.SetBasicAuth("me", secret)
			default:
				r.Header.Set("Authorization", tt.auth)
			}
			if tt.header != "" {
				r.Header.Set(tt.header, tt.sent)
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answer, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tt.want {
				t.Errorf("%d %s, want %d", resp.StatusCode, answer, tt.want)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("other sites are let in by %s", name)
				}
			}
		})
	}
	if got := d.lever(t, "log.level"); got != `"info" by ` {
		t.Errorf("the lever is %s", got)
	}
}

func TestAdminSocket_WritesTheNameThatTheKernelGives(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, ""))
	t.Setenv("SUDO_USER", "mallory")
	d.turn(t, "log.level", `"warn"`)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got := d.lever(t, "log.level"); got != `"warn" by `+me.Username {
		t.Errorf("the lever is %s, want by %s", got, me.Username)
	}
	d.plainOperator(t).do(t, http.MethodPut, "/api/v1/levers/log.level", `{"value": "info", "version": 1, "reason": "x"}`)
	if got := d.lever(t, "log.level"); !strings.HasPrefix(got, `"info" by test (token `) {
		t.Errorf("the lever is %s, want by the token", got)
	}
}

func TestAdminListener_OffLoopbackWantsTLS(t *testing.T) {
	good := minimal(backend(t, "x").URL, "")
	dir := newDir(t)
	d := open(t, dir, good)
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:8090", "[::ffff:192.0.2.1]:8090"} {
		t.Run(address, func(t *testing.T) {
			text := strings.Replace(good, `admin: "127.0.0.1:0"`, `admin: "`+address+`"`, 1)
			_, err := New(write(t, newDir(t), text), Options{Log: io.Discard})
			var bad *ConfigError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), "admin.tls") {
				t.Errorf("a start said %v", err)
			}
			write(t, dir, text)
			if r := d.server.Reload("test"); r.OK || !strings.Contains(strings.Join(r.Problems, "\n"), "admin.tls") {
				t.Errorf("a reload said %+v", r)
			}
			if status, _ := get(t, d.addr.Admin, "/healthz", ""); status != http.StatusOK {
				t.Errorf("the old listener answers %d", status)
			}
		})
	}
}

func TestReload_AnswersWhoAskedForItOnTheListenerThatItReplaces(t *testing.T) {
	dir := newDir(t)
	good := minimal(backend(t, "x").URL, "")
	d := open(t, dir, good)
	certificate, pool := ownCertificate(t, dir)
	trust := &tls.Config{RootCAs: pool}
	o := d.plainOperator(t)
	events := o.follow(t)
	wait(t, events, api.EventState, "the full state", func(api.FullState) bool { return true })
	steps := []struct {
		name, admin, more, scheme string
		moves                     bool
	}{
		{"the same", "127.0.0.1:0", "", "http", false},
		{"TLS is switched on", "127.0.0.1:0", certificate, "https", false},
		{"another address with TLS", "127.0.0.2:0", certificate, "https", true},
		{"without TLS", "127.0.0.2:0", "", "http", false},
		{"back", "127.0.0.1:0", "", "http", true},
	}
	for _, s := range steps {
		before := d.server.admin.address()
		write(t, dir, strings.Replace(good, `admin: "127.0.0.1:0"`, fmt.Sprintf("admin: %q", s.admin), 1)+s.more)
		resp, body := o.do(t, http.MethodPost, "/api/v1/reload", "")
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"ok":true`) {
			t.Fatalf("%s: %d %s", s.name, resp.StatusCode, body)
		}
		now := d.server.admin.address()
		if (now != before) != s.moves || s.moves && !strings.Contains(string(body), "opened admin "+now) {
			t.Errorf("%s: it was at %s and is at %s: %s", s.name, before, now, body)
		}
		host, _, _ := net.SplitHostPort(now)
		if host == "127.0.0.2" {
			trustHere := trust.Clone()
			trustHere.ServerName = "127.0.0.1"
			o = o.at(s.scheme+"://"+now, trustHere)
		} else {
			o = o.at(s.scheme+"://"+now, trust)
		}
		if resp, body := o.do(t, http.MethodGet, "/api/v1/status", ""); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", s.name, resp.StatusCode, body)
		}
	}
	limit := time.After(2 * closeWithin)
	for open := true; open; {
		select {
		case _, open = <-events:
		case <-limit:
			t.Fatal("the stream on the first listener goes on")
		}
	}
}
