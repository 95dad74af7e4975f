// Package evergate_test keeps the rules of the house that no compiler keeps:
// which way imports point, that every package says what it is, and that every
// dependency has a reason.
package evergate_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/evergate/evergate"

// forbidden imports, with the reason. "x/..." is x and everything below; paths
// that begin with "internal" are ours; "*.*" is every module but the standard
// library and ours.
var forbidden = []struct{ pkg, imports, why string }{
	{"internal/exchange", "internal/...", "everybody imports the vocabulary, so it imports nobody"},
	{"internal/clock", "internal/...", "everybody imports the vocabulary, so it imports nobody"},
	{"internal/httpfield", "internal/...", "everybody imports the vocabulary, so it imports nobody"},
	{"internal/id", "internal/...", "everybody imports the vocabulary, so it imports nobody"},
	{"internal/exchange", "*.*", "the vocabulary is the standard library only: whoever speaks it should pay for nothing"},
	{"internal/clock", "*.*", "the vocabulary is the standard library only: whoever speaks it should pay for nothing"},
	{"internal/httpfield", "*.*", "the vocabulary is the standard library only: whoever speaks it should pay for nothing"},
	{"internal/id", "*.*", "the vocabulary is the standard library only: whoever speaks it should pay for nothing"},
	{"internal/config", "internal/edge/...", "the configuration is read by the wings and knows none of them; what a key means is checked from its tags"},
	{"internal/config", "internal/server/...", "imports point one way: server -> edge -> config"},
	{"internal/edge/gateway/...", "internal/edge/proxy/...", "the gateway asks for a handler per route (Backends); server hands it over, so that either side can be tested alone"},
	{"internal/edge/proxy/...", "internal/edge/gateway/...", "the proxy asks for one function that writes the error page (Fail); server hands it over"},
	{"internal/edge/gateway/front/...", "internal/edge/gateway/route", "connections are kept without knowing sites; whose request it is the gateway finds out"},
	{"internal/edge/gateway/front/...", "internal/edge/gateway/certs", "the front asks for a *tls.Config (Certificates); server hands it over"},
	{"internal/edge/gateway/certs/...", "internal/edge/gateway/front/...", "certificates are kept without listeners: challenges are answered by a handler and a TLS callback"},
	{"internal/edge/gateway/front/lane", "internal/config", "what reads bytes of strangers has few settings and no other business, and is tested alone"},
	{"internal/edge/gateway/front/lane", "internal/edge/...", "what reads bytes of strangers has few settings and no other business, and is tested alone"},
	{"internal/edge/proxy/upstream", "internal/edge/proxy/...", "the contract of the transports knows none of them"},
	{"internal/edge/proxy/upstream", "internal/config", "the contract of the transports is about one request, not about settings"},
	{"internal/edge/proxy/replay", "internal/...", "it keeps bytes; what they are of does not matter, and nothing of a request may steer it"},
	{"internal/edge/proxy/origin", "internal/edge/proxy/h1/...", "servers are tested without a network; the transport comes from NewTransport (dial)"},
	{"internal/edge/proxy/origin", "internal/edge/proxy/std/...", "servers are tested without a network; the transport comes from NewTransport (dial)"},
	{"internal/edge/proxy", "internal/edge/proxy/h1/...", "dial is the one place that knows which transports there are"},
	{"internal/edge/proxy", "internal/edge/proxy/std/...", "dial is the one place that knows which transports there are"},
	{"internal/edge/proxy/h1/...", "internal/config", "a transport gets its settings as Options, so that its suite needs no file"},
	{"internal/edge/proxy/std/...", "internal/config", "a transport gets its settings as Options, so that its suite needs no file"},
	{"internal/edge/proxy/h1/...", "internal/edge/proxy/origin", "a transport makes one attempt; who is asked, and whether again, is decided above it"},
	{"internal/edge/proxy/std/...", "internal/edge/proxy/origin", "a transport makes one attempt; who is asked, and whether again, is decided above it"},
	{"internal/keyring", "internal/cluster/...", "keys are files, so that they are there without the store"},
	{"internal/keyring", "internal/edge/...", "keys are files; whoever needs one is given it"},
	{"internal/cluster/...", "internal/edge/...", "the ground that the wings stand on knows none of them"},
	{"internal/cluster/...", "internal/admin/...", "the ground that the wings stand on knows none of them"},
	{"internal/cluster/...", "internal/server/...", "imports point one way: server -> wings -> cluster"},
	{"internal/cluster/store/...", "internal/cluster/setting", "the store keeps what others put into it, and knows no table's meaning"},
	{"internal/cluster/store/...", "internal/cluster/lease", "the store keeps what others put into it, and knows no table's meaning"},
	{"internal/cluster/lease", "internal/cluster/setting", "a lease is about who acts, not about what is done"},
	{"internal/edge/...", "internal/cluster/...", "a request never waits for the store; what levers and certificates need is handed over by server"},
	{"internal/edge/...", "internal/admin/...", "wings do not import each other; server hands over what they need"},
	{"internal/admin/...", "internal/edge/...", "wings do not import each other; operators see the edge by interfaces that server fills"},
	{"internal/admin/...", "internal/server/...", "imports point one way: cli -> server -> admin"},
	{"internal/admin/client", "internal/cluster/...", "a client knows the API and nothing behind it"},
	{"internal/admin/...", "internal/cluster/store/...", "what is kept is reached through settings; operators' handlers wait for no database"},
	{"internal/edge/...", "internal/server/...", "server assembles the wings; they do not reach back up"},
	{"internal/edge/...", "internal/demo/...", "what runs in production does not know its demo"},
	{"internal/server/...", "internal/demo/...", "what runs in production does not know its demo"},
	{"internal/...", "internal/cli", "imports point one way: cmd -> cli -> server"},
	{"internal/cli/...", "internal/edge/...", "the command line asks server, which knows how the wings fit together"},
	{"internal/cli/...", "internal/cluster/...", "the command line asks the admin API, or server/maintenance, which knows how files are kept"},
	{"cmd/...", "internal/server/...", "main is ten lines: what a command does is in internal/cli"},
	{"internal/edge/...", "github.com/spf13/cobra", "the command line ends in internal/cli"},
	{"internal/server/...", "github.com/spf13/cobra", "the command line ends in internal/cli"},
	{"internal/edge/...", "go.yaml.in/yaml/v3", "YAML is read in internal/config; the others get structs"},
	{"internal/...", "net/http/httputil", "httputil.ReverseProxy repeats and hides what the retries must know (guide, section 5)"},
	{"internal/...", "math/rand", "math/rand/v2 is the one generator of this house"},
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath                         string
	Doc                                string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// listed returns all packages of this module.
func listed(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// short is the path as the rules write it.
func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// foreign reports whether path belongs to another module.
func foreign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && path != module && !strings.HasPrefix(path, module+"/")
}

// fits reports whether path (in short form) is meant by pattern.
func fits(path, pattern string) bool {
	if pattern == "*.*" {
		return foreign(path)
	}
	if root, all := strings.CutSuffix(pattern, "/..."); all {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range listed(t) {
		for _, imported := range p.Imports {
			for _, rule := range forbidden {
				from, to := short(p.ImportPath), short(imported)
				if from != to && fits(from, rule.pkg) && fits(to, rule.imports) {
					t.Errorf("%s imports %s: %s", from, to, rule.why)
				}
			}
		}
	}
}

func TestFits(t *testing.T) {
	tests := []struct {
		path, pattern string
		want          bool
	}{
		{"internal/edge/proxy", "internal/edge/proxy", true},
		{"internal/edge/proxy/h1", "internal/edge/proxy", false},
		{"internal/edge/proxy/h1", "internal/edge/proxy/...", true},
		{"internal/edge/proxy", "internal/edge/proxy/...", true},
		{"internal/edge/proxyx", "internal/edge/proxy/...", false},
		{"net/http", "*.*", false},
		{"golang.org/x/net/http2", "*.*", true},
	}
	for _, tt := range tests {
		if got := fits(tt.path, tt.pattern); got != tt.want {
			t.Errorf("fits(%q, %q) is %t", tt.path, tt.pattern, got)
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range listed(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 { // of a folder of tests, go list shows no comment
			t.Errorf("%s has no package comment: a newcomer opens it and does not know why it is there", short(p.ImportPath))
		}
	}
}

// TestEveryDependencyHasAReason wants a line in DEPENDENCIES.md for each module
// that this one imports itself, and no line for a module that it does not.
func TestEveryDependencyHasAReason(t *testing.T) {
	text, err := os.ReadFile("DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented[match[1]] = true
	}

	used := importedModules(t, ".")
	for _, dir := range nestedModules(t) {
		for path := range importedModules(t, dir) {
			used[path] = true
		}
	}
	for path := range used {
		if !documented[path] {
			t.Errorf("%s is imported, and DEPENDENCIES.md does not say why", path)
		}
	}
	for path := range documented {
		if !used[path] {
			t.Errorf("DEPENDENCIES.md has %s, and nothing imports it", path)
		}
	}
}

// nestedModules returns the folders below this one with a go.mod of their own.
func nestedModules(t *testing.T) []string {
	t.Helper()
	var dirs []string
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "go.mod" && path != "go.mod" {
			dirs = append(dirs, filepath.Dir(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// importedModules returns the modules named in dir/go.mod of which a Go file of
// that module (tests and tools included) imports a package.
func importedModules(t *testing.T, dir string) map[string]bool {
	t.Helper()
	goMod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var required []string
	for _, match := range regexp.MustCompile(`(?m)^\s*(?:require )?([a-z0-9.\-]+\.[a-z]+/\S+|pgregory\.net/\S+) v\S+`).FindAllStringSubmatch(string(goMod), -1) {
		required = append(required, match[1])
	}
	// The longest path first: it is the module that a package belongs to.
	slices.SortFunc(required, func(a, b string) int { return len(b) - len(a) })

	used := map[string]bool{}
	quoted := regexp.MustCompile(`(?m)^\s*(?:import )?(?:[\w.]+ )?"([^"\s]+\.[^"\s]+/[^"\s]+)"$`)
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != dir && (strings.HasPrefix(entry.Name(), ".") || hasGoMod(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range quoted.FindAllStringSubmatch(string(source), -1) {
			i := slices.IndexFunc(required, func(m string) bool { return fits(match[1], m+"/...") })
			if i >= 0 && foreign(required[i]) {
				used[required[i]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Programs that tests run by "go run" or "go build" are named by a tool line.
	for _, match := range regexp.MustCompile(`(?m)^(?:tool |\t)(\S+\.\S+/\S+)$`).FindAllStringSubmatch(string(goMod), -1) {
		if i := slices.IndexFunc(required, func(m string) bool { return fits(match[1], m+"/...") }); i >= 0 {
			used[required[i]] = true
		}
	}
	return used
}

func hasGoMod(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// TestSourceFilesAreShort keeps files readable in one sitting, tests as well.
// Generated files do not count.
func TestSourceFilesAreShort(t *testing.T) {
	const most = 500
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if lines := strings.Count(string(source), "\n"); lines > most && !strings.Contains(string(source), "DO NOT EDIT") {
			t.Errorf("%s has %d lines; more than %d are two files", path, lines, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
