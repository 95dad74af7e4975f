package abuse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/server"
	"github.com/evergate/evergate/internal/server/collector"
)

// envDoor makes this test binary serve the configuration file that it holds,
// instead of running tests.
const envDoor = "EVERGATE_ABUSE_DOOR"

func TestMain(m *testing.M) {
	path := os.Getenv(envDoor)
	if path == "" {
		os.Exit(m.Run())
	}
	collector.Start() // as the shipped binary does, whose memory is meant
	s, err := server.New(path, server.Options{Signals: true, Ready: func(a server.Addresses) {
		fmt.Println(a.HTTP[0], a.HTTPS[0], a.Admin)
	}})
	if err == nil {
		err = s.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings is the door's file with short times; the verbs are its folder, more
// lines of listen and of origins, and the origin's url.
const settings = `
node: {data_dir: %[1]s}
listen: {http: "127.0.0.1:0", https: "127.0.0.1:0", admin: "127.0.0.1:0"%[2]s}
tls: {local: true}
log: {level: error, access: {file: "off"}}
limits:
  header_timeout: 1s
  body: {idle_timeout: 1s, min_rate: 500, grace: 1s}
  response: {idle_timeout: 2s, min_rate: 500, grace: 2s}
drain: {accept_grace: 0s, timeout: 0s}
origins:
  app:
    servers: ["%[4]s"]
    dial_timeout: 10s # this machine may be busy with the attack%[3]s
sites:
  - hosts: ["*"]
    http: serve
    compress: {on: false}
    routes: [{path: /*, origin: app}]
`

// door is an Evergate in a process of its own.
type door struct {
	http, https, admin string
	pid                int
	before             int // resident KiB when it had served a little
}

// newDoor starts a door before origin. listen and origins are more keys of these
// blocks, as they stand in the file.
func newDoor(t *testing.T, origin, listen, origins string) *door {
	t.Helper()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("resident memory is read from /proc")
	}
	dir, err := os.MkdirTemp("", "eg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "evergate.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, settings, dir, listen, origins, origin), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envDoor+"="+path)
	log := new(bytes.Buffer)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	ended := make(chan error, 1)
	go func() {
		_, _ = io.Copy(io.Discard, out)
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that has died is told by its status
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the door ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the door does not end")
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("the door's log:\n%.4000s", log)
		}
	})
	d := &door{pid: cmd.Process.Pid}
	if _, scan := fmt.Sscan(line, &d.http, &d.https, &d.admin); err != nil || scan != nil {
		t.Fatalf("the door said %q: %v, %v\n%s", line, err, scan, log)
	}
	return d
}

// mark lets the door serve a little, and remembers the memory it has then.
func (d *door) mark(t *testing.T) {
	t.Helper()
	for range 50 {
		if res, err := http.Get("http://" + d.http + "/"); err == nil {
			res.Body.Close()
		}
	}
	// "5" makes the peak what it is now, proc(5).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", d.pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	d.before = d.memory(t, "VmHWM")
}

// memory reads a number of KiB from the process's status.
func (d *door) memory(t *testing.T, key string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in\n%s", key, text)
	return 0
}

// bounded fails the test if the door has grown by more than limit MiB at any
// time since mark. The race detector multiplies memory by about ten.
func (d *door) bounded(t *testing.T, limit int) {
	t.Helper()
	grown := (d.memory(t, "VmHWM") - d.before) / 1024
	t.Logf("resident memory: %d MiB before, at most %d MiB more", d.before/1024, grown)
	if raceEnabled {
		limit *= 10
	}
	if grown > limit {
		t.Errorf("resident memory grew by %d MiB, want at most %d", grown, limit)
	}
}

// metric returns the sum of a metric's children.
func (d *door) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	res, err := http.Get("http://" + d.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllSubmatch(text, -1) {
		n, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// witness is somebody well-behaved who asks the door for / again and again.
type witness struct {
	stop     chan struct{}
	visitors sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	served  int
	failed  []string
	longest time.Duration
}

func newWitness(d *door) *witness {
	w := &witness{stop: make(chan struct{})}
	for range 4 {
		client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
		w.visitors.Go(func() {
			defer client.CloseIdleConnections()
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-w.stop:
					return
				case <-tick.C:
					w.ask(client, "http://"+d.http+"/")
				}
			}
		})
	}
	return w
}

func (w *witness) ask(client *http.Client, url string) {
	began := time.Now()
	res, err := client.Get(url)
	what := ""
	if err != nil {
		what = err.Error()
	} else {
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			what = err.Error()
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			what = res.Status
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.longest = max(w.longest, time.Since(began))
	if what == "" {
		w.served++
	} else {
		w.failed = append(w.failed, what)
	}
}

// end stops asking and fails the test if a request failed.
func (w *witness) end(t *testing.T) {
	t.Helper()
	// Some attacks are over before anybody well-behaved has come.
	eventually(t, "the well-behaved have come", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.served >= 20 || len(w.failed) > 0
	})
	close(w.stop)
	w.visitors.Wait()
	t.Logf("meanwhile %d requests of the well-behaved were served, %d failed, the slowest took %v", w.served, len(w.failed), w.longest.Round(time.Millisecond))
	if len(w.failed) > 0 {
		t.Errorf("the well-behaved suffered: %.200q", w.failed[0])
	}
}
