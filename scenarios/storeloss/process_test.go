package storeloss

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cli"
)

// envConfig makes this test binary an Evergate with the configuration it names,
// instead of running tests.
const envConfig = "EVERGATE_STORELOSS_CONFIG"

func TestMain(m *testing.M) {
	if path := os.Getenv(envConfig); path != "" {
		os.Exit(cli.Main([]string{"run", "--config", path}, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// evergate is a door in a process of its own, which is killed and started again.
type evergate struct {
	config      string // path of its file
	http, admin string // where it listens
	cmd         *exec.Cmd
	log         *os.File
}

// newEvergate writes the configuration of a door before backend, with store.url
// url ("": SQLite).
func newEvergate(t *testing.T, backend, url string) *evergate {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg") // short, for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &evergate{config: filepath.Join(dir, "evergate.yaml"), http: free(t), admin: free(t)}
	text := fmt.Sprintf(`
node: {name: door-1, data_dir: data}
listen: {http: %q, admin: %q}
store: {url: %q}
log: {access: {file: "off"}}
drain: {accept_grace: 0s, timeout: 5s}
chat:
  site: "*"
  path: /chat
  slack: {signing_secret: %s}
  users: [{slack: %s, actor: ada, role: operator}]
origins:
  app: {servers: [%q]}
sites:
  - hosts: ["*"]
    routes: [{path: /*, origin: app}]
`, e.http, e.admin, url, chatSecret, chatUser, backend)
	if err := os.WriteFile(e.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if e.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.kill()
		e.log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("what it logged:\n%s", said)
		}
	})
	return e
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs it and returns how long it took until it served.
func (e *evergate) start(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	e.cmd = exec.Command(os.Args[0])
	e.cmd.Env = append(os.Environ(), envConfig+"="+e.config)
	e.cmd.Stdout, e.cmd.Stderr = e.log, e.log
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the door to serve", 30*time.Second, func() bool { return e.get("http://"+e.http+"/") == nil })
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

func (e *evergate) get(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return err
}

// run runs a command of Evergate's own against it and returns what it printed.
func (e *evergate) run(args ...string) (string, error) {
	var out, errs bytes.Buffer
	if code := cli.Main(append(args, "--config", e.config), &out, &errs); code != 0 {
		return out.String(), fmt.Errorf("evergate %s: exit code %d: %s", strings.Join(args, " "), code, errs.String())
	}
	return out.String(), nil
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

// change is one change of a lever's history.
type change struct {
	Number      int64           `json:"number"`
	Value       json.RawMessage `json:"value"`
	Actor       string          `json:"actor"`
	Reason      string          `json:"reason"`
	At          time.Time       `json:"at"`
	Recorded    time.Time       `json:"recorded"`
	Provisional bool            `json:"provisional"`
}

// history is the history of a lever, the last change first.
func (e *evergate) history(t *testing.T, lever string) (changes []change, whole bool) {
	t.Helper()
	var answer struct {
		Whole    bool     `json:"whole"`
		Versions []change `json:"versions"`
	}
	if err := json.Unmarshal([]byte(e.must(t, "lever", "history", lever, "-o", "json")), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Versions, answer.Whole
}

// value is a lever's value in force.
func (e *evergate) value(t *testing.T, lever string) string {
	t.Helper()
	var answer struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal([]byte(e.must(t, "lever", "get", lever, "-o", "json")), &answer); err != nil {
		t.Fatal(err)
	}
	return string(answer.Value)
}

// metrics is what a scrape says.
func (e *evergate) metrics(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + e.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// load asks the door again and again until stop, which returns how many requests
// were answered and the errors of the others.
func (e *evergate) load(visitors int) (stop func() (good int64, failed []error)) {
	var mu sync.Mutex
	var failed []error
	var good atomic.Int64
	done := make(chan struct{})
	var running sync.WaitGroup
	for range visitors {
		running.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				if err := e.get("http://" + e.http + "/"); err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
					continue
				}
				good.Add(1)
			}
		})
	}
	return func() (int64, []error) {
		close(done)
		running.Wait()
		return good.Load(), failed
	}
}

// eventually asks again and again until what happens.
func eventually(t *testing.T, what string, within time.Duration, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
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
