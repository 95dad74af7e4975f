package config

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

const withSecrets = `
listen: {https: ":443"}
tls: {local: true}
chat:
  site: a.example
  path: /chat
  slack: {signing_secret: {file: slack.secret}}
  users: [{slack: U012AB3CD, actor: ana, role: admin}]
sites: [{hosts: [a.example], routes: [{path: /*, respond: {}}]}]
`

func TestLoad_ReadsSecretsFromFilesBesideIt(t *testing.T) {
	tests := []struct {
		name, content string
		want          string // the secret
		problem       string // or what is wrong
	}{
		{"a text", "hunter2", "hunter2", ""},
		{"one line end is not part of it", "hunter2\n", "hunter2", ""},
		{"nor is one of Windows", "hunter2\r\n", "hunter2", ""},
		{"a second one is", "hunter2\n\n", "hunter2\n", ""},
		{"spaces are, and a lone return", " hunter2 \r", " hunter2 \r", ""},
		{"variables stand as they are", "hunter2${PORT}$${X}", "hunter2${PORT}$${X}", ""},
		{"the largest", strings.Repeat("hunter2!", maxSecret/8), strings.Repeat("hunter2!", maxSecret/8), ""},
		{"an empty one", "", "", "DIR/slack.secret is empty"},
		{"only a line end", "\n", "", "DIR/slack.secret is empty"},
		{"one byte too many", strings.Repeat("hunter2!", maxSecret/8) + "\n", "", "DIR/slack.secret is larger than 64 KiB, which no secret is"},
		{"a NUL character", "hunter2\x00", "", "DIR/slack.secret holds a NUL character or is not UTF-8"},
		{"no UTF-8", "hunter2\xff", "", "DIR/slack.secret holds a NUL character or is not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, "evergate.yaml", withSecrets)
			put(t, filepath.Dir(file), "slack.secret", tt.content)
			c, warnings, err := Load(file)
			if tt.problem == "" {
				if err != nil || len(warnings) > 0 || c.Chat.Slack.SigningSecret.Reveal() != tt.want {
					t.Fatalf("error %v, warnings %v", err, warnings)
				}
				return
			}
			wantProblem(t, err, file, tt.problem)
		})
	}
}

func TestLoad_SaysWhyASecretCannotBeRead(t *testing.T) {
	tests := []struct {
		name    string
		make    func(path string) error
		problem string
	}{
		{"nothing is there", func(string) error { return nil }, "open DIR/slack.secret: no such file or directory"},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, "DIR/slack.secret is not a plain file"},
		{"a pipe that nobody writes to", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "DIR/slack.secret is not a plain file"},
		{"a link without an end", func(path string) error { return os.Symlink(path, path) }, "open DIR/slack.secret: too many levels of symbolic links"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := write(t, "evergate.yaml", withSecrets)
			if err := tt.make(filepath.Join(filepath.Dir(file), "slack.secret")); err != nil {
				t.Fatal(err)
			}
			_, _, err := Load(file)
			wantProblem(t, err, file, tt.problem)
		})
	}
}

func wantProblem(t *testing.T, err error, file, message string) {
	t.Helper()
	var p Problem
	want := Problem{file, 7, 34, "chat.slack.signing_secret.file", "read the secret: " + strings.ReplaceAll(message, "DIR", filepath.Dir(file))}
	if !errors.As(err, &p) || p != want || tells(err.Error()) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestLoad_TellsOtherProblemsBesideThoseOfSecrets(t *testing.T) {
	file := write(t, "evergate.yaml", strings.Replace(withSecrets, "role: admin", "role: boss", 1))
	_, _, err := Load(file)
	var all *Problems
	if !errors.As(err, &all) || len(all.List) != 2 || all.List[0].Path != "chat.slack.signing_secret.file" || all.List[1].Path != "chat.users[0].role" {
		t.Errorf("problems %v", err)
	}
}

func TestLoad_WarnsOfSecretsThatEverybodyCanRead(t *testing.T) {
	tests := []struct {
		name         string
		secret, file fs.FileMode
		text         string // instead of {file: slack.secret}
		path         string // of the warning; "" for none
	}{
		{"a file of its owner", 0o600, 0o644, "", ""},
		{"a file of a group", 0o640, 0o644, "", ""},
		{"a file of everybody", 0o644, 0o600, "", "chat.slack.signing_secret.file"},
		{"a file that everybody can write", 0o602, 0o600, "", "chat.slack.signing_secret.file"},
		{"a text in a file of everybody", 0o600, 0o644, "hunter2", "chat.slack.signing_secret"},
		{"a text in a file of its owner", 0o600, 0o640, "hunter2", ""},
		{"a variable in a file of everybody", 0o600, 0o644, "{env: SLACK}", ""},
		{"a variable in a text", 0o600, 0o644, "${SLACK}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("SLACK", marker)
			text := withSecrets
			if tt.text != "" {
				text = strings.Replace(text, "{file: slack.secret}", tt.text, 1)
			}
			file := write(t, "evergate.yaml", strings.ReplaceAll(text, "${SLACK}", `"${SLACK}"`))
			secret := filepath.Join(filepath.Dir(file), "slack.secret")
			put(t, filepath.Dir(file), "slack.secret", marker)
			if err := errors.Join(os.Chmod(secret, tt.secret), os.Chmod(file, tt.file)); err != nil {
				t.Fatal(err)
			}
			_, warnings, err := Load(file)
			path := ""
			if len(warnings) > 0 {
				path = warnings[0].Path
			}
			if err != nil || len(warnings) > 1 || path != tt.path || tells((&Problems{List: warnings}).Error()) {
				t.Errorf("error %v, warnings %v, want one at %q", err, warnings, tt.path)
			}
		})
	}
}

func TestLoad_ChecksWhatStandsInTheFile(t *testing.T) {
	text := "listen: {http: ':80'}\nstore: {url: {file: url}}\nsites: [{hosts: [a], routes: [{path: /, respond: {}}]}]\n"
	file := write(t, "evergate.yaml", text)
	put(t, filepath.Dir(file), "url", "mysql://hunter2@db\n")
	_, _, err := Load(file)
	var p Problem
	if !errors.As(err, &p) || p.Line != 2 || p.Path != "store.url" || tells(err.Error()) {
		t.Errorf("a wrong address: %v", err)
	}
	put(t, filepath.Dir(file), "url", "postgres://door:hunter2@db/evergate\n")
	if c, warnings, err := Load(file); err != nil || len(warnings) > 0 || c.Store.URL.Reveal() != "postgres://door:hunter2@db/evergate" {
		t.Errorf("a right one: %v, %v", err, warnings)
	}
}

func TestParse_ReadsNoFileWithASecret(t *testing.T) {
	c := parse(t, withSecrets)
	if s := c.Chat.Slack.SigningSecret; s.Reveal() != "" || s.IsZero() || s.String() != "***" {
		t.Errorf("secret %q", s.Reveal())
	}
}

// A file is a secret as a whole or none, and no mistake shows it.
func FuzzSecretOf(f *testing.F) {
	for _, seed := range []string{"", "\n", "\r\n", "a\r\n\n", "a\x00", "\xff", "${A}", "a\r", "a\nb\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := secretOf(data)
		if err != nil {
			if text != "" || err != errSecretEmpty && err != errSecretText && err != errSecretLarge {
				t.Errorf("%q with %v", text, err)
			}
			return
		}
		end, ok := bytes.CutPrefix(data, []byte(text))
		if !ok || text == "" || !utf8.ValidString(text) || strings.ContainsRune(text, 0) ||
			string(end) != "" && string(end) != "\n" && string(end) != "\r\n" {
			t.Errorf("%q is read as %q", data, text)
		}
	})
}
