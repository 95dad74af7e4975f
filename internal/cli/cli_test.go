package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/server"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// run is Main with what it wrote.
func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(args, &out, &errs)
	return code, out.String(), errs.String()
}

// write puts text into a new file named evergate.yaml and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evergate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const good = `
listen: {http: ":8080"}
origins: {app: {servers: ["http://127.0.0.1:3001"]}}
sites: [{hosts: ["*"], routes: [{path: /*, origin: app}]}]
`

func TestMain_ExitCodes(t *testing.T) {
	bad := write(t, "listen: {htp: ':80'}\n")
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	tests := []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"help is no error", []string{"--help"}, exitOK, ""},
		{"nothing to do shows the help", nil, exitOK, ""},
		{"an unknown command", []string{"serve"}, exitUsage, `unknown command "serve"`},
		{"an unknown flag", []string{"run", "--port", "80"}, exitUsage, "unknown flag: --port"},
		{"a flag without its value", []string{"validate", "--config"}, exitUsage, "flag needs an argument"},
		{"too many arguments", []string{"validate", "a.yaml"}, exitUsage, "evergate validate takes no argument, not 1"},
		{"too few arguments", []string{"explain"}, exitUsage, "evergate explain takes one argument, not 0"},
		{"a file that is not there", []string{"validate", "-c", missing}, exitUsage, "no such file"},
		{"a bad configuration to validate", []string{"validate", "-c", bad}, exitUsage, ":1:10: listen.htp: unknown key"},
		{"a bad configuration begins its lines with the file", []string{"validate", "-c", bad}, exitUsage, bad + ":1:1: sites: "},
		{"a bad configuration to run", []string{"run", "-c", bad}, exitUsage, "listen.htp: unknown key"},
		{"a bad configuration to explain", []string{"explain", "http://a/", "-c", bad}, exitUsage, "listen.htp: unknown key"},
		{"an unknown form of answer", []string{"version", "-o", "xml"}, exitUsage, "want text or json"},
		{"a rate that the demo cannot make", []string{"demo", "--rate", "0"}, exitUsage, "--rate 0: want 1 to 2000"},
		{"an address of the demo without a port", []string{"demo", "--listen", "here"}, exitUsage, "--listen here: want an address"},
		{"a time that is none", []string{"reload", "--timeout", "soon"}, exitUsage, "invalid argument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := run(tt.args...)
			if code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("code %d, want %d; stderr %q, want %q in it", code, tt.code, stderr, tt.stderr)
			}
			if code == exitUsage && !strings.HasPrefix(stderr, "evergate: ") && !strings.Contains(stderr, "\nevergate: ") {
				t.Errorf("stderr does not say who speaks: %q", stderr)
			}
		})
	}
}

func TestMain_EveryCommandHasHelp(t *testing.T) {
	var visit func(t *testing.T, cmd *cobra.Command)
	visit = func(t *testing.T, cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		t.Run(strings.Join(path, " "), func(t *testing.T) {
			code, stdout, stderr := run(append(path, "--help")...)
			if code != exitOK || stderr != "" {
				t.Fatalf("code %d, stderr %q", code, stderr)
			}
			if !strings.Contains(stdout, cmd.CommandPath()) || len(cmd.Short) == 0 {
				t.Errorf("the help is\n%s", stdout)
			}
			if !cmd.HasSubCommands() && cmd.Example == "" && cmd.Name() != "version" {
				t.Error("it has no example")
			}
			for line := range strings.Lines(cmd.Long) {
				if len([]rune(line)) > 92 {
					t.Errorf("a line of the help is longer than a screen: %s", line)
				}
			}
		})
		for _, below := range cmd.Commands() {
			visit(t, below)
		}
	}
	for _, cmd := range newRoot().Commands() {
		if cmd.GroupID == "" {
			t.Errorf("%s is in no group", cmd.Name())
		}
		visit(t, cmd)
	}
}

func TestMain_Help(t *testing.T) {
	_, stdout, _ := run("--help")
	golden(t, "testdata/help.txt", []byte(stdout))
}

func TestMain_Completes(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, stdout, stderr := run("completion", shell)
		if code != exitOK || stderr != "" || !strings.Contains(stdout, "evergate") {
			t.Errorf("%s: code %d, stderr %q", shell, code, stderr)
		}
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"commands", []string{""}, "explain\t"},
		{"forms of the answer", []string{"explain", "-o", ""}, "json\n"},
		{"methods", []string{"explain", "--method", ""}, "DELETE\n"},
		{"files by their ending", []string{"run", "--config", ""}, "yaml\n"},
	} {
		_, stdout, _ := run(append([]string{"__complete"}, tt.args...)...)
		if !strings.Contains(stdout, tt.want) {
			t.Errorf("%s: %q lacks %q", tt.name, stdout, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, _ := run("version")
	build := server.ThisBuild()
	if code != exitOK || !strings.HasPrefix(stdout, "evergate "+build.Version) || !strings.Contains(stdout, build.Go) {
		t.Errorf("code %d, %q", code, stdout)
	}
	code, stdout, _ = run("version", "-o", "json")
	var got server.Build
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || got != build {
		t.Errorf("code %d, %q, %v", code, stdout, err)
	}
}

func TestFindConfig_LooksInTheWorkingFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("evergate.yaml", []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run("validate")
	if code != exitOK || !strings.Contains(stdout, "evergate.yaml is good: 1 site, 1 route, 1 origin") {
		t.Errorf("code %d, %q, %q", code, stdout, stderr)
	}
}
