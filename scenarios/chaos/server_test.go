package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envServer makes this test binary a server on the address it holds, instead
// of running tests.
const envServer = "EVERGATE_CHAOS_SERVER"

func TestMain(m *testing.M) {
	if address := os.Getenv(envServer); address != "" {
		if err := serve(address, os.NewFile(3, "ledger")); err != nil {
			fmt.Fprintln(os.Stderr, "chaos server:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// The answers of a server.
const (
	smallAnswer = 2 << 10   // held back by the door until it is whole
	largeAnswer = 256 << 10 // streamed: may be cut, and is then counted
)

// serve answers on address until it is killed. What it writes to ledger is in
// the pipe before the answer begins, so a kill cannot take it back.
func serve(address string, ledger *os.File) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	say := func(word string, r *http.Request) {
		attempt := r.Header.Get("Evergate-Attempt")
		fmt.Fprintf(ledger, "%s %s %s\n", word, r.Header.Get("X-Request-Id"), attempt)
	}
	small, large := bytes.Repeat([]byte("s"), smallAnswer), bytes.Repeat([]byte("l"), largeAnswer)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /small", func(w http.ResponseWriter, r *http.Request) {
		say(lineReceived, r)
		w.Write(small)
	})
	mux.HandleFunc("GET /large", func(w http.ResponseWriter, r *http.Request) {
		say(lineReceived, r)
		w.Write(large)
	})
	mux.HandleFunc("POST /apply", func(w http.ResponseWriter, r *http.Request) {
		say(lineReceived, r)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return // not whole: not applied
		}
		say(lineApplied, r)
		w.Write(small)
	})
	fmt.Fprintln(ledger, lineReady)
	return http.Serve(listener, mux)
}

// process is a server in a process of its own.
type process struct {
	address string
	ledger  *ledger

	cmd  *exec.Cmd
	gone chan struct{} // closed when the process and its pipe have ended
}

// start runs the process and returns when it listens.
func (p *process) start() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), envServer+"="+p.address)
	p.cmd.ExtraFiles = []*os.File{write}
	var stderr strings.Builder
	p.cmd.Stderr = &stderr
	err = p.cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		return err
	}
	ready, gone := make(chan struct{}), make(chan struct{})
	p.gone = gone
	followed := make(chan error, 1)
	go func() {
		followed <- p.ledger.follow(p.address, read, func() { close(ready) })
		read.Close()
		_ = p.cmd.Wait() // killed: it has no good end
		close(gone)
	}()
	select {
	case <-ready:
		return nil
	case <-gone:
		return fmt.Errorf("server %s ended at once: %v %s", p.address, <-followed, stderr.String())
	case <-time.After(20 * time.Second):
		p.kill()
		return errors.New("server " + p.address + " did not come up")
	}
}

// kill ends the process as a crash would, hung or not, and waits until its last
// words are in the ledger.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // gone already is as good
	<-p.gone
}

// hang stops the process: its kernel goes on accepting, and nobody answers.
func (p *process) hang() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// wake lets it go on where it was.
func (p *process) wake() error { return p.cmd.Process.Signal(syscall.SIGCONT) }
