package h2spec

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// hello answers as the suite wants it: anything with 200 and a body.
func hello(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	io.WriteString(w, "hello")
}

// bare is net/http alone.
func bare(t *testing.T) (address string) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// settings is the door's file; the verbs are its folder, its https address and
// the origin.
const settings = `
node: {data_dir: %[1]s}
listen: {https: "%[2]s", admin: ""}
tls: {local: true}
log: {level: error, access: {file: "off"}}
drain: {accept_grace: 0s, timeout: 0s}
origins:
  app: {servers: ["%[3]s"]}
sites:
  - hosts: ["*"]
    routes: [{path: /*, origin: app}]
`

// door builds Evergate, and runs it before an origin.
func door(t *testing.T) (address string) {
	// Its socket needs a short path.
	dir, err := os.MkdirTemp("", "eg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "evergate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/evergate")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build Evergate: %v\n%s", err, out)
	}
	origin := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(origin.Close)
	address = free(t)
	path := filepath.Join(dir, "evergate.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, settings, dir, address, origin.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(bytes.Buffer)
	cmd := exec.Command(binary, "run", "--config", path)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // one that has died is told by its status
		if err := <-ended; err != nil || t.Failed() {
			t.Errorf("the door ended: %v\n%s", err, log)
		}
	})
	limit := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
		if err == nil {
			c.Close()
			return address
		}
		if time.Now().After(limit) {
			t.Fatalf("the door did not open: %v", err)
		}
	}
}

// free returns an address on which nobody listens.
func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestH2spec_NoCaseIsWorseThanWithABareServer(t *testing.T) {
	ours, theirs := run(t, door(t)), run(t, bare(t))
	t.Logf("Evergate passes %d of %d cases, a bare http.Server %d", score(ours), len(ours), score(theirs))
	for i, o := range ours {
		switch b := theirs[i]; {
		case o.err != nil && b.err == nil:
			t.Errorf("%s %s: %v; the bare server passes", o.id, o.name, o.err)
		case o.err != nil:
			t.Logf("neither passes %s %s: %v", o.id, o.name, o.err)
		case b.err != nil:
			t.Logf("only Evergate passes %s %s", b.id, b.name)
		}
	}
}
