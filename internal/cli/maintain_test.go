package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
)

// ids and moments that differ from run to run.
var (
	hexID    = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	amount   = regexp.MustCompile(`\d+ (bytes|KiB)`)
	made     = regexp.MustCompile(`\b\d+ s ago`)
	asideTag = regexp.MustCompile(`before-restore-\S+`)
)

// TestMaintain_PrintsForPeople tells one story: keys, a backup, and its return.
func TestMaintain_PrintsForPeople(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "evergate.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf("node: {data_dir: %s/data}\n%s", dir, good)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	step := func(want int, args ...string) {
		t.Helper()
		code, stdout, stderr := run(append(args, "--config", config)...)
		if code != want {
			t.Errorf("%s: code %d, want %d", args, code, want)
		}
		text := "$ evergate " + strings.Join(args, " ") + "\n" + stdout
		if stderr != "" {
			text += "-- standard error\n" + stderr
		}
		text = strings.ReplaceAll(text, dir, "DIR")
		text = hexID.ReplaceAllString(text, "0123456789abcdef")
		text = amount.ReplaceAllString(text, "9 KiB")
		b.WriteString(made.ReplaceAllString(asideTag.ReplaceAllString(text, "before-restore-TIME"), "just now") + "\n")
	}
	backup := filepath.Join(dir, "x.backup")
	step(exitFailed, "store", "backup", backup) // nothing ever ran

	s, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	step(exitOK, "store", "backup", backup)
	step(exitFailed, "store", "backup", backup)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	step(exitFailed, "store", "restore", backup)
	if err := os.WriteFile(filepath.Join(dir, "data", "settings.last-good.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	step(exitOK, "store", "restore", backup, "--force")
	step(exitFailed, "store", "restore", config, "--force")
	step(exitOK, "key", "list")
	step(exitOK, "key", "rotate", "sticky")
	step(exitOK, "key", "rotate", "sticky", "--drop-old")
	step(exitFailed, "key", "rotate", "none")
	golden(t, "testdata/operate/maintain.txt", []byte(b.String()))

	code, stdout, _ := run("key", "list", "-o", "json", "--config", config)
	if code != exitOK || !strings.HasPrefix(stdout, `[{"purpose":"sticky","id":"`) || strings.Contains(stdout, "secret") {
		t.Errorf("code %d, %s", code, stdout)
	}
}

func TestMigrateTo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://u:p@h/d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if url, err := migrateTo("", file); err != nil || url != "postgres://u:p@h/d" {
		t.Errorf("got %q, %v", url, err)
	}
	if _, err := migrateTo("", "/nowhere"); err == nil {
		t.Error("a file that is not there gave no error")
	}
}
