package framing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/server"
)

// settings is the door's file; the verbs are its folder and the upstream.
const settings = `
node: {data_dir: %s}
listen: {http: "127.0.0.1:0", https: "127.0.0.1:0", admin: ""}
tls: {local: true}
log: {level: error, access: {file: "off"}}
limits:
  header_timeout: 500ms
  body: {idle_timeout: 500ms}
drain: {accept_grace: 0s, timeout: 1s}
origins:
  app: {servers: ["%s"]}
sites:
  - hosts: ["*"]
    http: serve
    compress: {on: false}
    routes: [{path: /*, origin: app}]
`

// door is an Evergate before a recorder.
type door struct {
	recorder    *recorder
	http, https string
}

func newDoor(t testing.TB) *door {
	t.Helper()
	// Its socket needs a short path.
	dir, err := os.MkdirTemp("", "eg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &door{recorder: newRecorder(t)}
	path := filepath.Join(dir, "evergate.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, settings, dir, d.recorder.url()), 0o600); err != nil {
		t.Fatal(err)
	}
	ready, log := make(chan server.Addresses, 1), new(buffer)
	s, err := server.New(path, server.Options{Log: log, Stdout: io.Discard, Ready: func(a server.Addresses) { ready <- a }})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the door ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the door's log:\n%s", log)
		}
	})
	select {
	case a := <-ready:
		d.http, d.https = a.HTTP[0], a.HTTPS[0]
	case err := <-ended:
		ended <- nil
		t.Fatalf("the door did not open: %v\n%s", err, log)
	}
	return d
}

// buffer is a log that several goroutines may write to.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// exchange sends raw and returns all that came back until the door closed.
func (d *door) exchange(t testing.TB, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", d.http)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(15 * time.Second))
	// The door may close before it has read all.
	_, _ = io.WriteString(c, raw)
	answer, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection was left open after %q", answer)
	}
	return string(answer)
}

var (
	statusLine = regexp.MustCompile(`HTTP/1\.[01] (\d{3}) `)
	seenLine   = regexp.MustCompile(`(?i)` + seen + `: (\d+)\r\n`)
)

// statuses returns the final ones in an answer of the door.
func statuses(answer string) (all []int) {
	for _, m := range statusLine.FindAllStringSubmatch(answer, -1) {
		if n, _ := strconv.Atoi(m[1]); n >= 200 {
			all = append(all, n)
		}
	}
	return all
}

// numbers returns those of the upstream's answers in an answer of the door.
func numbers(answer string) (all []int) {
	for _, m := range seenLine.FindAllStringSubmatch(answer, -1) {
		n, _ := strconv.Atoi(m[1])
		all = append(all, n)
	}
	return all
}
