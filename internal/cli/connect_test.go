package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/admin/api"
)

func TestConnection_SaysWhatIsInTheWay(t *testing.T) {
	config := write(t, good)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"title": "Unauthorized", "status": 401, "detail": "the token is not known here"}`))
	}))
	defer tokens.Close()
	tests := []struct {
		name string
		env  map[string]string
		args []string
		code int
		want []string
	}{
		{"nobody runs", nil, []string{"-c", config}, exitFailed, []string{"no Evergate is running there", "systemctl start evergate"}},
		{"no configuration", nil, []string{"-c", "/nowhere.yaml"}, exitUsage, []string{"no such file"}},
		{"plain HTTP from elsewhere", nil, []string{"--server", "http://door.example:8090"}, exitUsage, []string{"readable for everybody on the way", "ssh -L 8090"}},
		{"plain HTTP from elsewhere, by the environment", map[string]string{serverVariable: "http://door.example"}, nil, exitUsage, []string{"readable for everybody"}},
		{"no token", nil, []string{"--server", tokens.URL}, exitFailed, []string{"the token is not known here", "EVERGATE_TOKEN"}},
		{"a bad token", map[string]string{tokenVariable: "evg_a_b"}, []string{"--server", tokens.URL}, exitFailed, []string{"the token is not known here"}},
		{"a token of two lines", map[string]string{tokenVariable: "evg_a\nb"}, []string{"--server", tokens.URL}, exitUsage, []string{"read the token in EVERGATE_TOKEN"}},
		{"a token file that is not there", nil, []string{"--server", tokens.URL, "--token-file", "/nowhere"}, exitUsage, []string{"read the token: open /nowhere"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{serverVariable, tokenVariable} {
				t.Setenv(name, tt.env[name])
			}
			code, stdout, stderr := run(append([]string{"status"}, tt.args...)...)
			if code != tt.code || stdout != "" {
				t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q lacks %q", stderr, want)
				}
			}
		})
	}
}

func TestConnection_TakesServerAndTokenFromTheEnvironment(t *testing.T) {
	f := &fakeAPI{replies: map[string]reply{"GET due": {body: api.DueList{At: then}}}}
	shown := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = r.Header.Get("Authorization")
		f.ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv(serverVariable, server.URL)
	t.Setenv(tokenVariable, " evg_a_b\n")
	if code, stdout, stderr := run("due", "list"); code != exitOK || shown != "Bearer evg_a_b" {
		t.Errorf("code %d, %q, %q; shown %q", code, stdout, stderr, shown)
	}

	// A file goes before the variable, and one that all may read is worth a word.
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("evg_c_d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run("due", "list", "--token-file", file)
	if code != exitOK || shown != "Bearer evg_c_d" || !strings.Contains(stderr, "warning: everybody on this machine may read the token in "+file) {
		t.Errorf("code %d, %q; shown %q", code, stderr, shown)
	}
}
