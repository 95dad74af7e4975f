// Package process starts the programs of a benchmark, stops what it started and
// nothing else, and reads from the kernel what they used.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Command is a program to start.
type Command struct {
	Path string
	Args []string
	Env  []string // added to our own
	Dir  string   // where it works
	CPUs string   // processors it may run on, in the notation of taskset; empty: all
	Out  string   // file that gets stdout
	Err  string   // file that gets stderr; may be the same as Out
}

// Process is a running program. Its methods are for one goroutine.
type Process struct {
	cmd  *exec.Cmd
	err  string // file
	done chan struct{}
}

// Start starts c in a process group of its own, so that Ctrl-C reaches the
// benchmark only, which then stops its programs in order.
func Start(c Command) (*Process, error) {
	name, args := c.Path, c.Args
	if c.CPUs != "" {
		// taskset becomes the program, so the pid is the program's.
		name, args = "taskset", append([]string{"-c", c.CPUs, c.Path}, c.Args...)
	}
	out, err := os.OpenFile(c.Out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	stderr, err := os.OpenFile(c.Err, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()

	cmd := exec.Command(name, args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = out, stderr
	// Pdeathsig follows the thread that starts, which is why main keeps its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{cmd: cmd, err: c.Err, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// PID is that of the program, the root of its tree.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the program to end, and after grace ends it with all its children.
func (p *Process) Stop(grace time.Duration) error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	// The group is ours: Setpgid made it, and its leader is not reaped before done.
	syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
	return errors.New("did not end on SIGTERM; was killed")
}

// LastWords returns the end of what the program wrote to stderr, for the report
// of its failure.
func (p *Process) LastWords() string {
	text, err := os.ReadFile(p.err)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}
