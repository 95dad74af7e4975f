package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadToken(t *testing.T) {
	tests := []struct {
		name, content  string
		mode           os.FileMode
		token, warning string
		err            string
	}{
		{"a token and a line's end", "evg_a_b\n", 0o600, "evg_a_b", "", ""},
		{"a file for a group", "evg_a_b", 0o640, "evg_a_b", "", ""},
		{"a file for everybody", "evg_a_b", 0o644, "evg_a_b", "chmod 0600", ""},
		{"nothing", " \n", 0o600, "", "", "it is empty"},
		{"two lines", "evg_a\nsecret", 0o600, "", "", "characters that no token has"},
		{"another kind of file", strings.Repeat("x", maxToken+1), 0o600, "", "", "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil { // past the umask
				t.Fatal(err)
			}
			token, warning, err := ReadToken(path)
			if token != tt.token || !strings.Contains(warning, tt.warning) || (warning == "") != (tt.warning == "") {
				t.Errorf("got %q, %q", token, warning)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%v repeats a secret", err)
			}
		})
	}
	if _, _, err := ReadToken(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there gave no error")
	}
}
