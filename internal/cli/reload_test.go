package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/server/control"
)

// operator answers every reload with the same result.
type operator struct {
	result control.Result
	asked  chan struct{}
}

func (o operator) Reload(context.Context) control.Result {
	o.asked <- struct{}{}
	return o.result
}

func (o operator) Status() control.Status { return control.Status{} }

// door answers on the socket in a new data_dir and returns the path of a
// configuration that names it. Result.Config "" becomes that path.
func door(t *testing.T, result control.Result) (path string, asked <-chan struct{}) {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "evergate.yaml")
	if err := os.WriteFile(path, []byte(fmt.Sprintf("node: {data_dir: %s}\n%s", dir, good)), 0o600); err != nil {
		t.Fatal(err)
	}
	if result.Config == "" {
		result.Config = path
	}
	listener, err := control.Listen(filepath.Join(dir, control.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	op := operator{result, make(chan struct{}, 1)}
	s := control.Serve(listener, op, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return path, op.asked
}

func TestReload_SaysWhatChanged(t *testing.T) {
	path, asked := door(t, control.Result{OK: true, Changes: []string{"opened http :81"}, Warnings: []string{"risky"}, Millis: 12})
	code, stdout, stderr := run("reload", "-c", path)
	<-asked
	if want := fmt.Sprintf("opened http :81\nreloaded %s in 12 ms\n", path); code != exitOK || stdout != want {
		t.Errorf("code %d, stdout %q, want %q", code, stdout, want)
	}
	if stderr != "warning: risky\n" {
		t.Errorf("stderr %q", stderr)
	}
}

func TestReload_PrintsEveryProblemOfTheOneThatRuns(t *testing.T) {
	path, _ := door(t, control.Result{Problems: []string{"f:1:1: a: wrong", "f:2:1: b: wrong"}})
	code, stdout, stderr := run("reload", "-c", path)
	if code != exitFailed || stdout != "" {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	if want := "f:1:1: a: wrong\nf:2:1: b: wrong\nevergate: 2 problems: the old configuration stays in use\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
}

func TestReload_SaysWhenAnotherFileIsInUse(t *testing.T) {
	path, _ := door(t, control.Result{OK: true, Config: "/elsewhere.yaml"})
	_, _, stderr := run("reload", "-c", path)
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
	path, _ := door(t, control.Result{})
	code, _, stderr := run("reload", "-c", path, "--timeout", "1ns")
	if code != exitFailed || !strings.Contains(stderr, "no answer within 1ns; the reload goes on") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}

// A file with problems elsewhere still finds the one that runs, which judges it.
func TestReload_AsksWithABadFileToo(t *testing.T) {
	path, asked := door(t, control.Result{Problems: []string{"no"}})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "unknown: 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run("reload", "-c", path); code != exitFailed {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
	<-asked
}

func TestReload_ADataDirThatCannotBeReadAsksNobody(t *testing.T) {
	path := write(t, "node: {data_dir: [1]}\n")
	code, _, stderr := run("reload", "-c", path)
	if code != exitUsage || !strings.Contains(stderr, "nobody was asked to reload") {
		t.Errorf("code %d, stderr %q", code, stderr)
	}
}
