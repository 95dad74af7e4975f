package cli

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/admin/api"
)

// reloading returns a fake API whose reload ends like this. Config "" becomes the
// path of its own configuration.
func reloading(t *testing.T, result api.Reload) *fakeAPI {
	t.Helper()
	f := newFakeAPI(t, map[string]reply{})
	if result.Config == "" {
		result.Config = f.config
	}
	answer := reply{body: result}
	if !result.OK {
		answer.body = &api.RefusedReload{Reload: result, Problem: api.Problem{Status: http.StatusUnprocessableEntity, Detail: "kept"}}
	}
	f.set(map[string]reply{"POST reload": answer})
	return f
}

func TestReload_SaysWhatChanged(t *testing.T) {
	f := reloading(t, api.Reload{OK: true, Changes: []string{"opened http :81"}, Warnings: []string{"risky"},
		Levers: []string{"log.level is debug by alice; the file says warn"}, Seconds: 0.0125})
	code, stdout, stderr := f.run("reload")
	if want := fmt.Sprintf("opened http :81\nlog.level is debug by alice; the file says warn\nreloaded %s in 12 ms\n", f.config); code != exitOK || stdout != want {
		t.Errorf("code %d, stdout %q, want %q", code, stdout, want)
	}
	if stderr != "warning: risky\n" {
		t.Errorf("stderr %q", stderr)
	}
	if asked := f.questions(); len(asked) != 1 {
		t.Errorf("it was asked %q", asked)
	}
}

func TestReload_PrintsEveryProblemOfTheOneThatRuns(t *testing.T) {
	f := reloading(t, api.Reload{Problems: []string{"f:1:1: a: wrong", "f:2:1: b: wrong"}})
	code, stdout, stderr := f.run("reload")
	if code != exitFailed || stdout != "" {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	if want := "f:1:1: a: wrong\nf:2:1: b: wrong\nevergate: 2 problems: the old configuration stays in use\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	code, stdout, stderr = f.run("reload", "-o", "json")
	if code != exitFailed || !strings.Contains(stdout, `"problems":["f:1:1: a: wrong",`) || stderr != "" {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestReload_SaysWhenAnotherFileIsInUse(t *testing.T) {
	f := reloading(t, api.Reload{OK: true, Config: "/elsewhere.yaml"})
	_, _, stderr := f.run("reload")
	if !strings.Contains(stderr, "warning: what runs was started with /elsewhere.yaml, and has read that") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestReload_NobodyRuns(t *testing.T) {
	path := write(t, good)
	code, _, stderr := run("reload", "-c", path)
	if code != exitFailed || !strings.Contains(stderr, "nothing to reload: no Evergate is running there") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}

func TestReload_SaysThatItGoesOnWhenNobodyWaits(t *testing.T) {
	f := reloading(t, api.Reload{})
	code, _, stderr := f.run("reload", "--timeout", "1ns")
	if code != exitFailed || !strings.Contains(stderr, "no answer within 1ns; the reload goes on") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}

// A file with problems elsewhere still finds the one that runs, which judges it.
func TestReload_AsksWithABadFileToo(t *testing.T) {
	f := reloading(t, api.Reload{Problems: []string{"no"}})
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.config, append(text, "unknown: 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := f.run("reload"); code != exitFailed || len(f.questions()) != 1 {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}

func TestReload_ADataDirThatCannotBeReadAsksNobody(t *testing.T) {
	path := write(t, "node: {data_dir: [1]}\n")
	code, _, stderr := run("reload", "-c", path)
	if code != exitUsage || !strings.Contains(stderr, "nobody was asked to reload") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}
