package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

// TestNew_TakesOverTheFolderOfAReleaseWithoutAStore starts on what such a release
// leaves behind when it is killed.
func TestNew_TakesOverTheFolderOfAReleaseWithoutAStore(t *testing.T) {
	one, two := backend(t, "one").URL, backend(t, "two").URL
	dir := newDir(t)
	data := filepath.Join(dir, "data")
	secret := []byte("32 bytes, as that release had it")
	certificate := "certificates/acme.example-directory/shop.example/shop.example.crt"
	for name, text := range map[string]string{
		"lock":                 "4711\n",
		"sticky.key":           string(secret),
		"spill/left":           "a body",
		"certs/" + certificate: "a certificate",
	} {
		path := filepath.Join(data, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(data, adminsocket.Name), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}

	d := open(t, dir, fmt.Sprintf(`
node: {data_dir: data}
listen: {http: "127.0.0.1:0", admin: "127.0.0.1:0"}
log: {access: {file: "off"}}
drain: {accept_grace: 0s, timeout: 10s}
origins:
  app: {servers: ["%s", "%s"], sticky: {cookie: srv}}
sites:
  - {hosts: ["*"], routes: [{path: /*, origin: app}]}
`, one, two))
	if status, body := d.overSocket(t, http.MethodGet, "/status", ""); status != http.StatusOK {
		t.Errorf("the socket answers %d %s", status, body)
	}
	// A cookie of that release.
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("app\x00" + strings.TrimPrefix(two, "http://")))
	for range 10 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.addr.HTTP[0]+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "srv", Value: base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])})
		if body := answerTo(t, r); body != "two" {
			t.Errorf("a visitor of before comes to %q", body)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "sticky.key")); err == nil {
		t.Error("sticky.key is still there beside keys/sticky.key")
	}
	var kept string
	for deadline := time.Now().Add(10 * time.Second); kept == ""; {
		if time.Now().After(deadline) {
			t.Fatal("the certificate did not get into the store")
		}
		_ = d.server.store.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT key FROM cert_file").Scan(&kept)
		})
		<-time.After(10 * time.Millisecond)
	}
	if kept != certificate {
		t.Errorf("the store has %s", kept)
	}
}

// answerTo is the body of the answer to r.
func answerTo(t *testing.T, r *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
