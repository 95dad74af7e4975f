package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/keyring"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

// overSocket asks the door's API over its unix socket.
func (d *door) overSocket(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	socket := filepath.Join(d.dir, "data", adminsocket.Name)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var n net.Dialer
		return n.DialContext(ctx, "unix", socket)
	}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return answered(t, &http.Client{Transport: transport}, r)
}

// withToken asks the door's API over TCP.
func (d *door) withToken(t *testing.T, token, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.addr.Admin+"/api/v1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	status, _ := answered(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, r)
	return status
}

func TestServer_ATokenIsMadeUsedAndRevoked(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, ""))
	var made api.IssuedToken
	status, body := d.overSocket(t, http.MethodPost, "/tokens", `{"name": "deploy", "role": "operator"}`)
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	if got := d.withToken(t, made.Secret, "/status"); got != http.StatusOK {
		t.Errorf("the new token: %d", got)
	}
	if got := d.withToken(t, made.Secret, "/tokens"); got != http.StatusForbidden {
		t.Errorf("what its role may not: %d", got)
	}
	if status, body := d.overSocket(t, http.MethodDelete, "/tokens/"+made.Token.ID+"?reason=lost", ""); status != http.StatusOK {
		t.Errorf("revoked: %d %s", status, body)
	}
	if got := d.withToken(t, made.Secret, "/status"); got != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", got)
	}
	if status, body := d.overSocket(t, http.MethodDelete, "/tokens/"+made.Token.ID, ""); status != http.StatusNotFound {
		t.Errorf("revoked twice: %d %s", status, body)
	}
	_, metrics := get(t, d.addr.Admin, "/metrics", "")
	for _, want := range []string{`evergate_admin_refused_total{why="wrong_token"} 1`, `evergate_admin_refused_total{why="role"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(d.log.String()+metrics, made.Secret) {
		t.Error("the token is in the log or in the metrics")
	}
}

// TestServer_KeepsItsFilesToItself runs without a umask: what Evergate writes into
// data_dir must not depend on one, because members of the group evergate may pass
// through the folder.
func TestServer_KeepsItsFilesToItself(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	text := strings.Replace(minimal(backend(t, "x").URL, ""), `listen: {http: "127.0.0.1:0"`, `tls: {local: true}
listen: {http: "127.0.0.1:0", https: "127.0.0.1:0"`, 1)
	text = strings.Replace(text, `hosts: ["*"]`, `hosts: [door.example]`, 1)
	d := open(t, newDir(t), text)
	if status, body := d.overSocket(t, http.MethodPut, "/levers/log.level", `{"value": "warn", "version": 0, "reason": "x"}`); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	d.stop()
	seen := 0
	err := filepath.WalkDir(filepath.Join(d.dir, "data"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		seen++
		if filepath.Base(path) == "ca.pem" {
			return nil // what browsers are to trust, made to be shown
		}
		bad := info.Mode().Perm() & 0o077
		if filepath.Base(path) == "data" { // which may be open to pass through, for the group
			bad &^= 0o010
		}
		if bad != 0 {
			t.Errorf("others may have %s: %s", path, info.Mode())
		}
		return nil
	})
	if err != nil || seen < 8 {
		t.Errorf("%d files, %v", seen, err)
	}
}

func TestReload_TellsNobodyASecret(t *testing.T) {
	const secret = "hunter2-and-more"
	dir := newDir(t)
	file := filepath.Join(dir, "a.secret")
	if err := os.WriteFile(file, []byte(secret+"\nline two"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := minimal(backend(t, "x").URL, "")
	d := open(t, dir, good)
	t.Setenv("EVERGATE_TEST_SECRET", secret)
	for name, more := range map[string]string{
		"a URL of the wrong kind":     `store: {url: "mysql://evergate:` + secret + `@db/x"}`,
		"a URL that is none":          `store: {url: "postgres://evergate:` + secret + `%zz@db/x"}`,
		"a URL from a file":           `store: {url: {file: a.secret}}`,
		"a URL from the environment":  `store: {url: {env: EVERGATE_TEST_SECRET}}`,
		"a secret that is not base64": "chat: {site: a.example, path: /c, teams: {secret: \"" + secret + "\"}, users: []}",
		"a secret beside a wrong key": "chat: {site: a.example, path: /c, slack: {signing_secret: " + secret + ", sekret: " + secret + "}}",
	} {
		t.Run(name, func(t *testing.T) {
			write(t, dir, strings.Replace(good, "\norigins:", "\n"+more+"\norigins:", 1))
			status, body := d.overSocket(t, http.MethodPost, "/reload", "")
			if status != http.StatusUnprocessableEntity {
				t.Errorf("%d %s", status, body)
			}
			if strings.Contains(body, secret) {
				t.Errorf("the answer has it: %s", body)
			}
			if strings.Contains(d.log.String(), secret) {
				t.Errorf("the log has it")
			}
		})
	}
}

func TestReload_AVisitorKeepsTheServerOverARotationOfTheKey(t *testing.T) {
	dir := newDir(t)
	text := fmt.Sprintf(`
node: {data_dir: data}
listen: {http: "127.0.0.1:0", admin: "127.0.0.1:0"}
log: {access: {file: "off"}}
drain: {accept_grace: 0s, timeout: 10s}
origins:
  app: {servers: ["%s", "%s", "%s"], sticky: {cookie: srv}}
sites:
  - {hosts: ["*"], routes: [{path: /*, origin: app}]}
`, backend(t, "one").URL, backend(t, "two").URL, backend(t, "three").URL)
	d := open(t, dir, text)
	visit := func(cookie string) (server, given string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.addr.HTTP[0]+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: "srv", Value: cookie})
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range resp.Cookies() {
			given = c.Value
		}
		return string(body), given
	}
	home, first := visit("")
	cookie := first
	for range 2 {
		// As "evergate key rotate sticky" does it, in another process.
		ring, err := keyring.Open(filepath.Join(dir, "data"), keyring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Rotate(keyring.Sticky); err != nil {
			t.Fatal(err)
		}
		if r := d.server.Reload("test"); !r.OK {
			t.Fatalf("%+v", r)
		}
		server, given := visit(cookie)
		if server != home || given == "" || given == cookie {
			t.Errorf("after a rotation: at %s with the new cookie %q, want %s and another than %q", server, given, home, cookie)
		}
		cookie = given
		for range 10 {
			if server, again := visit(cookie); server != home || again != "" {
				t.Errorf("with the new cookie: at %s with %q", server, again)
			}
			if server, _ := visit(first); server != home {
				t.Errorf("with the very first cookie: at %s", server)
			}
		}
	}
}
