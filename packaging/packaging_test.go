// Package packaging_test checks the files for packagers with the programs that
// will read them.
package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

func TestTheExampleConfigurationIsGood(t *testing.T) {
	if _, _, err := config.Load("evergate.yaml"); err != nil {
		t.Error(err)
	}
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	analyze := program(t, "systemd-analyze", "systemd")
	unit, err := os.ReadFile("evergate.service")
	if err != nil {
		t.Fatal(err)
	}
	// The verifier wants the program to be there; any will do.
	text := strings.ReplaceAll(string(unit), "/usr/bin/evergate", "/bin/sh")
	path := filepath.Join(t.TempDir(), "evergate.service")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "evergate.service") {
			t.Errorf("systemd-analyze verify: %s", line)
		}
	}
	if err != nil && !t.Failed() {
		t.Logf("systemd-analyze verify says %v about other units of this machine: %s", err, out)
	}
}

// TestTheUnitWaitsForTheDrain keeps systemd from killing what drain promises.
func TestTheUnitWaitsForTheDrain(t *testing.T) {
	unit, err := os.ReadFile("evergate.service")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(unit), "\nTimeoutStopSec=")
	value, _, _ := strings.Cut(rest, "\n")
	stop, err := time.ParseDuration(value)
	if !found || err != nil {
		t.Fatalf("TimeoutStopSec=%s: %v", value, err)
	}
	cfg, _, err := config.Load("evergate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if sum := cfg.Drain.AcceptGrace.D() + cfg.Drain.Timeout.D(); stop < sum+10*time.Second {
		t.Errorf("TimeoutStopSec is %s, and a drain may take %s", stop, sum)
	}
}

func TestLogrotateUnderstandsTheSnippet(t *testing.T) {
	logrotate := program(t, "logrotate", "logrotate")
	snippet, err := os.ReadFile("evergate.logrotate")
	if err != nil {
		t.Fatal(err)
	}
	// The user and the folder are there only once Evergate is installed.
	dir := t.TempDir()
	text := strings.NewReplacer(
		"su evergate evergate", "su root root",
		"create 0640 evergate evergate", "create 0640",
		"/var/log/evergate", dir,
	).Replace(string(snippet))
	path := filepath.Join(dir, "evergate")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "access.log"), []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), logrotate, "--debug", "--state", filepath.Join(dir, "state"), path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "error:") {
		t.Errorf("logrotate --debug: %v\n%s", err, out)
	}
	if !strings.Contains(string(out), "access.log") {
		t.Errorf("logrotate does not see the log:\n%s", out)
	}
}

// TestSysusersMakesUserAndGroup has the program itself make them in a folder.
func TestSysusersMakesUserAndGroup(t *testing.T) {
	sysusers := program(t, "systemd-sysusers", "systemd")
	unit, err := os.ReadFile("evergate.service")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("evergate.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), sysusers, "--root="+root, rules).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-sysusers: %v\n%s", err, out)
	}
	for file, directive := range map[string]string{"passwd": "\nUser=evergate\n", "group": "\nGroup=" + adminsocket.Group + "\n"} {
		if !strings.Contains(string(unit), directive) {
			t.Errorf("the unit lacks %q", directive)
		}
		text, err := os.ReadFile(filepath.Join(root, "etc", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+string(text), "\nevergate:") {
			t.Errorf("evergate is not in %s:\n%s", file, text)
		}
	}
}

// TestTheUnitLetsTheGroupThroughToTheSocket: the mode of the folder is the one that
// Evergate gives it, so that no start changes it to and fro.
func TestTheUnitLetsTheGroupThroughToTheSocket(t *testing.T) {
	unit, err := os.ReadFile("evergate.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "\nStateDirectoryMode=0710\n") {
		t.Error("StateDirectoryMode is not 0710")
	}
}

// program returns the path of a program, or skips the test that needs it.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Skipf("needs %s (apt-get install %s)", name, pkg)
	return ""
}
