package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
)

// mark begins every secret of the test below; what is behind it says which one it is.
const mark = "s3cr3t"

// leaks is a configuration with a secret in every place that can hold one, in every
// form. Its store cannot be reached, and its second origin neither.
func leaks(t *testing.T, dir, app string) string {
	t.Helper()
	for name, content := range map[string]string{
		"slack.secret": mark + "slack", "header.secret": mark + "headerfile", "match.secret": mark + "matchfile",
		"sticky.secret": mark + "sticky" + strings.Repeat("0", 20),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("EVERGATE_TEST_MATTERMOST", mark+"mattermost")
	t.Setenv("EVERGATE_TEST_HEADER", mark+"headerenv")
	t.Setenv("EVERGATE_TEST_WORD", mark+"headerword")
	return fmt.Sprintf(`
node: {data_dir: data}
listen: {http: "127.0.0.1:0", https: "127.0.0.1:0", admin: "127.0.0.1:0", pprof: true}
tls: {local: true}
log: {level: debug, access: {file: access.log}}
drain: {accept_grace: 0s, timeout: 10s}
store: {url: "postgres://evergate:%[1]sdatabase@127.0.0.1:1/evergate?sslmode=disable"}
keys: {sticky: {file: sticky.secret}}
chat:
  site: door.example
  path: /chat
  slack: {signing_secret: {file: slack.secret}}
  mattermost: {token: {env: EVERGATE_TEST_MATTERMOST}}
  teams: {secret: "%[1]steams000000000000000000000000000000000"}
  users: [{slack: U024BE7LH, actor: ada, role: operator}]
origins:
  app: {servers: ["%[2]s"], sticky: {cookie: srv}}
  gone: {servers: ["http://127.0.0.1:1"], retry: {attempts: 2}}
sites:
  - hosts: [door.example]
    http: serve
    headers:
      request:
        set: {Authorization: "Bearer %[1]sheadertext", X-From-File: {file: header.secret}, X-From-Env: {env: EVERGATE_TEST_HEADER}}
        add: {X-Of-Words: "key ${EVERGATE_TEST_WORD}"}
    routes:
      - {path: /*, origin: app}
      - {path: /keyed, match: {X-Gate: {file: match.secret}}, origin: app}
      - {path: /named, match: {X-Api-Key: %[1]smatchtext}, origin: app}
      - {path: /gone, origin: gone}
`, mark, app)
}

func TestSecrets_AreShownNowhere(t *testing.T) {
	sent := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case sent <- r.Header.Clone():
		default:
		}
	}))
	t.Cleanup(app.Close)
	dir := newDir(t)
	d := open(t, dir, leaks(t, dir, app.URL))
	local := d.socketOperator()
	secret := local.issue(t, token.Operator)
	seen := map[string]string{}

	// What visitors see.
	visit := func(what, path string, more http.Header) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.addr.HTTP[0]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "door.example"
		for name, values := range more {
			r.Header[name] = values
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		seen[what] = fmt.Sprint(resp.StatusCode, resp.Header, string(body))
	}
	visit("an answer", "/", nil)
	got := <-sent
	for name, want := range map[string]string{
		"Authorization": "Bearer " + mark + "headertext", "X-From-File": mark + "headerfile", "X-From-Env": mark + "headerenv", "X-Of-Words": "key " + mark + "headerword",
	} {
		if got.Get(name) != want {
			t.Errorf("the server got %s: %q, want the secret itself", name, got.Get(name))
		}
	}
	visit("an answer behind a key", "/keyed", http.Header{"X-Gate": {mark + "matchfile"}})
	visit("an error page", "/gone", nil)
	d.turn(t, "sites[door.example].maintenance", "true")
	visit("the maintenance page", "/", nil)
	d.turn(t, "sites[door.example].maintenance", "")

	// Chat, over plain HTTP: what was in it is known to the network now, and not to the log.
	form := url.Values{"token": {mark + "mattermost"}, "user_id": {"u"}, "text": {"status"}, "trigger_id": {"t"}}.Encode()
	for what, r := range map[string]*http.Request{
		"chat with its token":  post(t, "http://"+d.addr.HTTP[0]+"/chat", "application/x-www-form-urlencoded", form, ""),
		"chat with a bad HMAC": post(t, "http://"+d.addr.HTTP[0]+"/chat", "application/json", `{"id": "1", "text": "status"}`, "HMAC AAAA"),
		"a bad token":          post(t, "http://"+d.addr.Admin+"/api/v1/reload", "", "", "Bearer "+secret+"x"),
		"a token in the query": post(t, "http://"+d.addr.Admin+"/api/v1/reload?token="+secret, "", "", ""),
		"a token in the path":  post(t, "http://"+d.addr.Admin+"/api/v1/levers/"+secret, "application/json", `{}`, "Bearer "+secret),
	} {
		if strings.Contains(what, "chat") {
			r.Host = "door.example"
		}
		_, seen[what] = answered(t, http.DefaultClient, r)
	}

	// What operators see.
	all, _ := local.operations(t)
	drive := &driver{server: strings.TrimPrefix(app.URL, "http://")}
	for id, op := range all {
		if op.method == http.MethodGet && id != "follow-events" {
			_, body := local.do(t, op.method, drive.path(op), "")
			seen[id] = string(body)
		}
	}
	events := local.follow(t)
	wait(t, events, api.EventState, "the full state", func(s api.FullState) bool {
		text, err := json.Marshal(s)
		seen["the stream"] = string(text)
		return err == nil
	})
	for _, path := range []string{"/api/openapi.json", "/api/", "/debug/pprof/cmdline", "/metrics"} {
		_, body := local.do(t, http.MethodGet, path, "")
		seen[path] = string(body)
	}
	seen["a reload"] = fmt.Sprintf("%+v", d.server.Reload("test"))
	write(t, dir, strings.Replace(leaks(t, dir, app.URL), "evergate:"+mark+"database@", "evergate:"+mark+"another@", 1))
	refused := d.server.Reload("test")
	if seen["a reload that is refused"] = fmt.Sprintf("%+v", refused); refused.OK {
		t.Error("another store was taken by a reload")
	}
	for _, q := range []Question{{URL: "http://door.example/"}, {URL: "http://door.example/keyed", Header: http.Header{"X-Gate": {mark + "matchfile"}}}, {URL: "http://door.example/named"}} {
		explanation, err := Explain(d.server.current.Load().cfg, q)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(explanation)
		if err != nil {
			t.Fatal(err)
		}
		seen["explain "+q.URL] = string(text)
	}
	seen["the configuration printed"] = fmt.Sprintf("%+v", *d.server.current.Load().cfg)

	// What is left behind.
	d.stop()
	seen["the log"] = d.log.String()
	for _, name := range []string{"access.log", "data/settings.journal"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("the test looks for a file that is not there: %v", err)
		}
		seen[name] = string(text)
	}
	for where, text := range seen {
		for _, word := range []string{mark, secret} {
			// A query that a visitor or an operator typed is theirs; the log may not keep it.
			if at := strings.Index(text, word); at >= 0 {
				t.Errorf("%s has a secret: %s", where, text[max(0, at-80):min(len(text), at+60)])
			}
		}
	}
}

// post is a request with a body.
func post(t *testing.T, to, kind, body, authorization string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func TestStatus_IsNoOlderThanTwoSecondsAndSaysItsTime(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, ""))
	local := d.socketOperator()
	var status api.Status
	read := func() {
		t.Helper()
		_, body := local.do(t, http.MethodGet, "/api/v1/status", "")
		status = api.Status{}
		if err := json.Unmarshal(body, &status); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the first figures", func() bool { read(); return !status.Figures.At.IsZero() })
	// One second is for a busy machine; the samples are taken every two.
	const limit = 3 * time.Second
	first := status.Figures.At
	waitFor(t, "the second figures", func() bool {
		read()
		if age := status.At.Sub(status.Figures.At); age > limit {
			t.Fatalf("the figures are %s old", age)
		}
		if age := time.Since(status.At); age > limit {
			t.Fatalf("the status is %s old", age)
		}
		return status.Figures.At.After(first)
	})
	if status.Uptime <= 0 || status.Started.IsZero() || status.Loaded.IsZero() || len(status.Conditions) == 0 {
		t.Errorf("the status is %+v", status)
	}
}
