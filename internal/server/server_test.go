package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/server/adminsocket"
	"github.com/evergate/evergate/internal/server/datadir"
)

// door is a running server in this process.
type door struct {
	server *Server
	dir    string // with evergate.yaml and data
	addr   Addresses
	log    *syncBuffer
	stop   func() // drains and waits
}

// newDir returns a folder whose path is short enough for a unix socket.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "eg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// write puts text into the folder's configuration file.
func write(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "evergate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// minimal is a configuration with port 0, one origin at the given address, and
// more lines behind it.
func minimal(origin, more string) string {
	return fmt.Sprintf(`
node: {data_dir: data}
listen: {http: "127.0.0.1:0", admin: "127.0.0.1:0"}
log: {access: {file: access.log}}
drain: {accept_grace: 0s, timeout: 10s}
origins:
  app: {servers: ["%s"]}
sites:
  - hosts: ["*"]
    routes:
      - {path: /*, origin: app}
%s`, origin, more)
}

// open runs a server for the configuration in dir until the test ends.
func open(t *testing.T, dir, text string) *door {
	t.Helper()
	d := &door{dir: dir, log: new(syncBuffer)}
	ready := make(chan Addresses, 1)
	var err error
	d.server, err = New(write(t, dir, text), Options{Log: d.log, Stdout: io.Discard, Ready: func(a Addresses) { ready <- a }})
	if err != nil {
		t.Fatalf("%v\n%s", err, d.log)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.server.Run(ctx) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", d.log)
		}
	})
	t.Cleanup(d.stop)
	select {
	case d.addr = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the server did not open: %v\n%s", err, d.log)
	}
	return d
}

// backend is an origin's server that answers with its name.
func backend(t *testing.T, name string) *httptest.Server {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, name)
	}))
	t.Cleanup(b.Close)
	return b
}

func TestServer_ServesWhatItsFileSays(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "hello").URL, ""))
	if status, body := get(t, d.addr.HTTP[0], "/", ""); status != 200 || body != "hello" {
		t.Errorf("the door answered %d %q", status, body)
	}
	if status, body := get(t, d.addr.Admin, "/readyz", ""); status != 200 {
		t.Errorf("readyz answered %d %q", status, body)
	}
	_, body := get(t, d.addr.Admin, "/metrics", "")
	for _, metric := range []string{"evergate_build_info{", "evergate_ready 1", "go_goroutines", "evergate_config_last_reload_successful 1"} {
		if !strings.Contains(body, metric) {
			t.Errorf("the metrics lack %s", metric)
		}
	}
	d.stop()
	log, err := os.ReadFile(filepath.Join(d.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(log, []byte("\n")) != 1 || !bytes.Contains(log, []byte(`"status":200`)) {
		t.Errorf("the access log has\n%s", log)
	}
	if _, err := net.Dial("unix", filepath.Join(d.dir, "data", adminsocket.Name)); err == nil {
		t.Error("the admin socket still answers")
	}
}

func TestNew_RefusesABadFileWithAllItsProblems(t *testing.T) {
	path := write(t, newDir(t), "listen: {htp: ':80'}\nsites: [{hosts: [a.example], routes: [{path: /*, origin: gone}]}]\n")
	_, err := New(path, Options{Log: io.Discard})
	var bad *ConfigError
	if !errors.As(err, &bad) {
		t.Fatalf("New said %v, want a ConfigError", err)
	}
	if len(bad.Problems) < 2 || !strings.Contains(err.Error(), "htp") || !strings.Contains(err.Error(), "gone") {
		t.Errorf("problems: %q", bad.Problems)
	}
}

func TestNew_RefusesADataDirThatIsInUse(t *testing.T) {
	dir := newDir(t)
	open(t, dir, minimal(backend(t, "x").URL, ""))
	_, err := New(filepath.Join(dir, "evergate.yaml"), Options{Log: io.Discard})
	var used *datadir.InUseError
	if !errors.As(err, &used) {
		t.Errorf("New said %v, want an InUseError", err)
	}
}

func TestRun_SaysWhichAddressIsTakenAndLeavesNothingBehind(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := newDir(t)
	text := strings.Replace(minimal(backend(t, "x").URL, ""), `http: "127.0.0.1:0"`, `http: "`+taken.Addr().String()+`"`, 1)
	s, err := New(write(t, dir, text), Options{Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "another program") {
		t.Errorf("Run said %v", err)
	}
	again, err := datadir.Open(filepath.Join(dir, "data"))
	if err != nil {
		t.Errorf("the data_dir is still locked: %v", err)
	} else {
		again.Close()
	}
}

func TestServer_LetsRequestsEndWhenItStops(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "at last")
	}))
	t.Cleanup(slow.Close)
	d := open(t, newDir(t), minimal(slow.URL, ""))
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + d.addr.HTTP[0] + "/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(string(body), err)
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() { d.stop(); close(stopped) }()
	waitFor(t, "readiness to fail", func() bool {
		ok, _ := d.server.ready()
		return !ok
	})
	select {
	case <-stopped:
		t.Fatal("the server stopped before the request ended")
	default:
	}
	close(release)
	if got := <-answer; got != "at last<nil>" {
		t.Errorf("the request under way got %q", got)
	}
	<-stopped
}

// waitFor asks again and again until what happens.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !happened() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
