package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envRun makes this test binary serve the configuration file that it holds,
// with signals, instead of running tests.
const envRun = "EVERGATE_TEST_RUN"

func TestMain(m *testing.M) {
	path := os.Getenv(envRun)
	if path == "" {
		os.Exit(m.Run())
	}
	s, err := New(path, Options{
		Signals:      true,
		NotifySocket: os.Getenv("NOTIFY_SOCKET"),
		Ready:        func(a Addresses) { fmt.Println(a.HTTP[0], a.Admin) },
	})
	if err == nil {
		err = s.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a server in a process of its own.
type child struct {
	cmd         *exec.Cmd
	http, admin string
	stdout      io.Closer
	log         *syncBuffer
	ended       chan struct{} // closed when err is there
	err         error
}

func spawn(t *testing.T, dir, text string, env ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), log: new(syncBuffer), ended: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), envRun+"="+write(t, dir, text)), env...)
	c.cmd.Stderr = c.log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.stdout = out
	line, err := bufio.NewReader(out).ReadString('\n')
	go func() {
		defer close(c.ended)
		_, _ = io.Copy(io.Discard, out)
		c.err = c.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // ended already is as good
		<-c.ended
		if t.Failed() {
			t.Logf("the server's log:\n%s", c.log)
		}
	})
	if err != nil {
		t.Fatalf("the server did not open: %v\n%s", err, c.log)
	}
	if _, err := fmt.Sscan(line, &c.http, &c.admin); err != nil {
		t.Fatalf("the server said %q: %v", line, err)
	}
	return c
}

func (c *child) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// held is an origin's server whose answers wait for release.
func held(t *testing.T) (url string, arrived <-chan struct{}, release func()) {
	t.Helper()
	came, gate := make(chan struct{}, 16), make(chan struct{})
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			came <- struct{}{}
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, "done")
	}))
	t.Cleanup(b.Close)
	opened := false
	release = func() {
		if !opened {
			opened = true
			close(gate)
		}
	}
	t.Cleanup(release)
	return b.URL, came, release
}

// ask gets path in the background.
func ask(address, path string) <-chan error {
	answer := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			answer <- err
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && string(body) != "done" {
			err = fmt.Errorf("got %s %q", resp.Status, body)
		}
		answer <- err
	}()
	return answer
}

func TestSIGTERM_Drains(t *testing.T) {
	url, arrived, release := held(t)
	text := strings.Replace(minimal(url, ""), "accept_grace: 0s", "accept_grace: 1s", 1)
	c := spawn(t, newDir(t), text)
	answer := ask(c.http, "/held")
	<-arrived

	c.signal(t, syscall.SIGTERM)
	waitFor(t, "readiness to fail", func() bool {
		status, _ := get(t, c.admin, "/readyz", "")
		return status == http.StatusServiceUnavailable
	})
	// Balancers need time to notice; who comes meanwhile is served.
	if err := <-ask(c.http, "/"); err != nil {
		t.Errorf("a visitor in accept_grace: %v", err)
	}
	waitFor(t, "the listener to close", func() bool {
		conn, err := net.Dial("tcp", c.http)
		if err == nil {
			conn.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
	select {
	case <-c.ended:
		t.Fatal("the server stopped before the request ended")
	default:
	}
	release()
	if err := <-answer; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	<-c.ended
	if c.err != nil {
		t.Errorf("the server ended with %v, want code 0", c.err)
	}
}

func TestSIGTERM_TwiceStopsAtOnce(t *testing.T) {
	url, arrived, _ := held(t)
	text := strings.Replace(minimal(url, ""), "accept_grace: 0s, timeout: 10s", "accept_grace: 1h, timeout: 1h", 1)
	c := spawn(t, newDir(t), text)
	answer := ask(c.http, "/held")
	<-arrived
	c.signal(t, syscall.SIGTERM)
	waitFor(t, "the drain to begin", func() bool { return strings.Contains(c.log.String(), "draining") })
	c.signal(t, syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the server went on")
	}
	if c.err != nil {
		t.Errorf("the server ended with %v, want code 0", c.err)
	}
	if err := <-answer; err == nil {
		t.Error("the request under way ended well")
	}
}

func TestSIGHUP_ReloadsAndSIGUSR1_ReopensTheLog(t *testing.T) {
	url, _, _ := held(t)
	dir := newDir(t)
	text := minimal(url, "")
	c := spawn(t, dir, text)

	write(t, dir, "nonsense: true\n")
	c.signal(t, syscall.SIGHUP)
	waitFor(t, "a refusal", func() bool { return strings.Contains(c.log.String(), "old configuration stays in use") })
	if err := <-ask(c.http, "/"); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}

	write(t, dir, strings.Replace(text, "origin: app}", "origin: app}\n      - {path: /new, respond: {body: done}}", 1))
	c.signal(t, syscall.SIGHUP)
	waitFor(t, "a reload", func() bool { return strings.Contains(c.log.String(), `"msg":"reloaded"`) })
	if err := <-ask(c.http, "/new"); err != nil {
		t.Errorf("the new route: %v", err)
	}

	log := filepath.Join(dir, "access.log")
	waitFor(t, "a line", func() bool { return hasText(log, "/new") })
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	c.signal(t, syscall.SIGUSR1)
	waitFor(t, "the new file", func() bool { _, err := os.Stat(log); return err == nil })
}

func TestRun_TellsSystemd(t *testing.T) {
	url, _, _ := held(t)
	dir := newDir(t)
	socket := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetReadDeadline(time.Now().Add(30 * time.Second))
	told := func(want string) {
		t.Helper()
		buf := make([]byte, 1024)
		n, err := manager.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), want) {
			t.Errorf("systemd was told %q, %v, want %s", buf[:n], err, want)
		}
	}
	c := spawn(t, dir, minimal(url, ""), "NOTIFY_SOCKET="+socket)
	told("READY=1")
	c.signal(t, syscall.SIGHUP)
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	c.signal(t, syscall.SIGTERM)
	told("STOPPING=1")
	<-c.ended
}

func TestSIGPIPE_TheEndOfTheAccessLogsReaderEndsNothing(t *testing.T) {
	url, _, _ := held(t)
	c := spawn(t, newDir(t), strings.Replace(minimal(url, ""), "log: {access: {file: access.log}}\n", "", 1))
	if err := c.stdout.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "lines to be counted as lost", func() bool {
		if err := <-ask(c.http, "/"); err != nil {
			t.Fatal(err)
		}
		_, metrics := get(t, c.admin, "/metrics", "")
		return strings.Contains(metrics, "evergate_access_log_dropped_total") &&
			!strings.Contains(metrics, `evergate_access_log_dropped_total{why="write_error"} 0`)
	})
	c.signal(t, syscall.SIGTERM)
	if <-c.ended; c.err != nil {
		t.Errorf("the server ended with %v, want code 0", c.err)
	}
}
