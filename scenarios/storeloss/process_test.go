package storeloss

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/cli"
)

// envEvergate makes this test binary the evergate command instead of running tests.
const envEvergate = "EVERGATE_STORELOSS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(envEvergate) != "" {
		if os.Args[1] == "run" {
			go endWithParent()
		}
		os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// endWithParent ends this process when its standard input does: a pipe of the test,
// which the kernel closes however that one ends.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin) // whatever the reason
	os.Exit(1)
}

// evergate is a door in a process of its own, which is killed and started again.
type evergate struct {
	config      string // path of its file
	http, admin string // where it listens
	socket      string // of operators on this machine
	log         string // path of what it wrote to standard error
	cmd         *exec.Cmd
	operators   *client.Client // over the unix socket
	secret      string         // of its token; "": none was made yet
	tokenActor  string         // by which the history knows who has it
}

// newEvergate writes a configuration. It does not start anything.
func newEvergate(t *testing.T, p plan) *evergate {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg") // short, for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	e := &evergate{config: filepath.Join(dir, "evergate.yaml"), log: filepath.Join(dir, "log"), socket: filepath.Join(dir, "data", "admin.sock"), http: freeAddress(t), admin: freeAddress(t)}
	if err := os.WriteFile(e.config, []byte(p.text(e)), 0o600); err != nil {
		t.Fatal(err)
	}
	if e.operators, err = client.New(client.Options{Socket: e.socket}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.kill()
		e.operators.Close()
		if said, err := os.ReadFile(e.log); err == nil && t.Failed() {
			t.Logf("what %s logged:\n%s", p.name, said)
		}
		os.RemoveAll(dir)
	})
	return e
}

// command is the evergate command with its configuration.
func (e *evergate) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append(args, "--config", e.config)...)
	// A command that was built with the race detector would wait a second at its end.
	cmd.Env = append(os.Environ(), envEvergate+"=yes", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// start runs it and returns how long it took until it served.
func (e *evergate) start(t *testing.T) time.Duration {
	t.Helper()
	log, err := os.OpenFile(e.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	begin := time.Now()
	e.cmd = e.command("run")
	e.cmd.Stdout, e.cmd.Stderr = log, log
	if _, err := e.cmd.StdinPipe(); err != nil { // see endWithParent
		t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the door to serve", 30*time.Second, func() bool { _, err := e.ask("door.example"); return err == nil })
	return time.Since(begin)
}

// kill ends it as a crash would.
func (e *evergate) kill() {
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Kill() // gone already is as good
	_ = e.cmd.Wait()
	e.cmd = nil
}

// run runs a command of Evergate's in a process of its own and returns what it printed.
func (e *evergate) run(args ...string) (string, error) {
	out, err := e.command(args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("evergate %s: %w: %s", strings.Join(args, " "), err, failed.Stderr)
	}
	return string(out), err
}

// must is run for a command that has to succeed.
func (e *evergate) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask is a visit to the first page of a site and returns the status.
func (e *evergate) ask(host string) (int, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+e.http+"/", nil)
	if err != nil {
		return 0, err
	}
	r.Host = host
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// shut reports whether visitors of a site meet its maintenance page: what its lever
// does.
func (e *evergate) shut(t *testing.T, host string) bool {
	t.Helper()
	status, err := e.ask(host)
	if err != nil || status != http.StatusOK && status != http.StatusServiceUnavailable {
		t.Fatalf("a visit to %s: status %d, %v", host, status, err)
	}
	return status == http.StatusServiceUnavailable
}

// lever is a lever as the door knows it now.
func (e *evergate) lever(t *testing.T, name string) api.Lever {
	t.Helper()
	answer, err := e.operators.Lever(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Value
}

// history is what the door knows of a lever's changes, the first one first.
func (e *evergate) history(t *testing.T, lever string) (all []api.LeverVersion, whole bool) {
	t.Helper()
	whole = true
	for before, more := int64(0), true; more; {
		answer, err := e.operators.History(t.Context(), lever, before, 200)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, answer.Value.Versions...)
		before, whole = answer.Value.Next, whole && answer.Value.Whole
		more = before > 0
	}
	slices.Reverse(all)
	return all, whole
}

// settled waits until the store has everything, and returns what history does.
func (e *evergate) settled(t *testing.T, lever string) (all []api.LeverVersion) {
	t.Helper()
	eventually(t, "the store to have the whole history", 20*time.Second, func() (whole bool) {
		all, whole = e.history(t, lever)
		return whole && !slices.ContainsFunc(all, func(v api.LeverVersion) bool { return v.Provisional })
	})
	return all
}

// condition is what the status says of one thing that is watched.
func (e *evergate) condition(t *testing.T, name string) api.Condition {
	t.Helper()
	answer, err := e.operators.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range answer.Value.Conditions {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("the status has no condition %q", name)
	return api.Condition{}
}

// scrape is what it tells Prometheus.
func (e *evergate) scrape(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := send(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metric reports whether a scrape has this line.
func (e *evergate) metric(t *testing.T, line string) bool {
	t.Helper()
	return strings.Contains("\n"+e.scrape(t), "\n"+line+"\n")
}

// logged reports whether its log has a line with text.
func (e *evergate) logged(t *testing.T, text string) bool {
	t.Helper()
	said, err := os.ReadFile(e.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(said), text)
}

// eventually asks again and again until what happens.
func eventually(t *testing.T, what string, within time.Duration, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(within)
	for !happened() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %s in vain for %s", within, what)
		}
	}
}
