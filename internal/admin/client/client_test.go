package client

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shortDir is a folder whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// onSocket serves handler on a unix socket and returns a client for it.
func onSocket(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	path := filepath.Join(shortDir(t), "admin.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return clientFor(t, Options{Socket: path})
}

func clientFor(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestClient_AsksOverTheSocket(t *testing.T) {
	var got *http.Request
	var body string
	c := onSocket(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
		_, _ = io.WriteString(w, `{"a": 1}`)
	})
	data, err := c.ask(t.Context(), http.MethodPut, "levers/"+escape("origins.a/b.servers[::1].x y"), nil, map[string]int{"x": 1})
	if err != nil || string(data.JSON) != `{"a": 1}` || time.Since(data.At).Abs() > time.Minute {
		t.Fatalf("got %+v, %v", data, err)
	}
	if want := "/api/v1/levers/origins.a%2Fb.servers%5B::1%5D.x%20y"; got.RequestURI != want {
		t.Errorf("asked for %s, want %s", got.RequestURI, want)
	}
	if body != `{"x":1}` || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Authorization") != "" {
		t.Errorf("sent %s with %v", body, got.Header)
	}
}

func TestClient_AsksOverHTTPSWithAToken(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Header.Get("Authorization"))
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := clientFor(t, Options{Server: server.URL + "/", Token: "evg_x", CA: ca})
	if data, err := c.ask(t.Context(), http.MethodGet, "status", nil, nil); err != nil || !strings.Contains(string(data.JSON), "Bearer evg_x") {
		t.Errorf("got %s, %v", data.JSON, err)
	}
}

func TestClient_SaysWhatToDo(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	secure := httptest.NewUnstartedServer(answer(200, ""))
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	defer secure.Close()
	open := httptest.NewServer(answer(401, `{"title":"Unauthorized","status":401,"detail":"a token is needed"}`))
	defer open.Close()
	limited := httptest.NewServer(answer(429, `{"title":"Too Many Requests","detail":"too many tries"}`))
	defer limited.Close()
	small := httptest.NewServer(answer(403, `{"title":"Forbidden","needs":"operator"}`))
	defer small.Close()
	bad := httptest.NewServer(answer(422, `{"detail":"wrong","errors":[{"location":"body.reason","message":"want a reason"},{"location":"body.x","message":"wrong"}]}`))
	defer bad.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	cut := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer cut.Close()
	closed := httptest.NewServer(answer(200, ""))
	closed.Close()
	dir := shortDir(t)
	dead := filepath.Join(dir, "dead.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()

	tests := []struct {
		name    string
		options Options
		want    []string
	}{
		{"no socket", Options{Socket: filepath.Join(dir, "gone.sock")}, []string{"no Evergate is running there (" + dir}},
		{"a dead process's socket", Options{Socket: dead}, []string{"no Evergate is running there"}},
		{"nobody listens", Options{Server: closed.URL}, []string{"ask " + closed.URL + ": nobody listens there", "listen.admin"}},
		{"a certificate of nobody we know", Options{Server: secure.URL}, []string{"nobody that this machine trusts", "--ca FILE"}},
		{"plain HTTP behind an https address", Options{Server: strings.Replace(open.URL, "http:", "https:", 1)}, []string{"it speaks plain HTTP", "admin.tls"}},
		{"no token", Options{Server: open.URL}, []string{"a token is needed\n", "EVERGATE_TOKEN", "--token-file"}},
		{"a bad token", Options{Server: open.URL, Token: "evg_x"}, []string{"a token is needed"}},
		{"a role that is too small", Options{Server: small.URL}, []string{"forbidden\n", "--role operator"}},
		{"too many tries", Options{Server: limited.URL}, []string{"too many tries\n", "try again in 7s"}},
		{"wrong members", Options{Server: bad.URL}, []string{"wrong\n  body.reason: want a reason"}},
		{"another server", Options{Server: other.URL}, []string{"404 Not Found", "is this its admin listener"}},
		{"an answer that breaks off", Options{Server: cut.URL}, []string{"may or may not have happened"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := clientFor(t, tt.options).ask(t.Context(), http.MethodPost, "reload", nil, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

func TestClient_SaysWhoMayOpenTheSocket(t *testing.T) {
	if os.Getuid() == 0 {
		// root may open everything, so the text is asked for itself.
		dir := shortDir(t)
		path := filepath.Join(dir, "admin.sock")
		if err := os.WriteFile(path, nil, 0o660); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 1, 1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o660); err != nil {
			t.Fatal(err)
		}
		err := clientFor(t, Options{Socket: path}).noSocket(os.ErrPermission)
		for _, want := range []string{"open " + path, userName(1), "usermod -aG " + groupName(1)} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q lacks %q", err, want)
			}
		}
		if !errors.Is(err, ErrNotAllowed) || !errors.Is(err, os.ErrPermission) {
			t.Errorf("%v does not tell what it is", err)
		}
		return
	}
	c := onSocket(t, func(http.ResponseWriter, *http.Request) {})
	if err := os.Chmod(c.socket, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ask(t.Context(), http.MethodGet, "status", nil, nil); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("got %v, want ErrNotAllowed", err)
	}
}

func TestNew_Refuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		options Options
		want    string // "": it is taken
	}{
		{"https", Options{Server: "https://door.example:8090"}, ""},
		{"plain HTTP on loopback", Options{Server: "http://127.0.0.1:8090"}, ""},
		{"plain HTTP on loopback, version 6", Options{Server: "http://[::1]:8090"}, ""},
		{"plain HTTP on localhost", Options{Server: "http://localhost:8090/"}, ""},
		{"plain HTTP elsewhere", Options{Server: "http://door.example:8090"}, "readable for everybody on the way; use https://"},
		{"plain HTTP to a name that only begins like loopback", Options{Server: "http://localhost.example"}, "readable for everybody"},
		{"no scheme", Options{Server: "door.example:8090"}, "want https://HOST:PORT"},
		{"another scheme", Options{Server: "ftp://door.example"}, "want https://HOST:PORT"},
		{"no host", Options{Server: "https://:8090"}, "want https://HOST:PORT"},
		{"a path", Options{Server: "https://door.example/api/"}, "something behind its host"},
		{"a password in the address", Options{Server: "https://a:b@door.example"}, "a token goes into EVERGATE_TOKEN"},
		{"an authority file that is not there", Options{Server: "https://a", CA: "/nowhere/ca.pem"}, "no such file"},
		{"an authority file without a certificate", Options{Server: "https://a", CA: empty}, "holds no PEM certificate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.options)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "a:b") {
				t.Errorf("%v repeats a password", err)
			}
		})
	}
}

func TestClient_TakesNoRedirect(t *testing.T) {
	reached := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := clientFor(t, Options{Server: server.URL, Token: "evg_x"}).ask(t.Context(), http.MethodGet, "status", nil, nil); err == nil || reached {
		t.Errorf("error %v, reached %t", err, reached)
	}
}
