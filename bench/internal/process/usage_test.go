package process

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tests := []struct {
		name, line  string
		pid, parent int
		fails       bool
	}{
		{"a plain name", "4711 (nginx) S 17 4711 17 0", 4711, 17, false},
		{"a name with spaces and parentheses", "4711 (a) b (c) R 18 1 1", 4711, 18, false},
		{"no name", "4711 S 17", 0, 0, true},
		{"nothing after the name", "4711 (x)", 0, 0, true},
		{"a parent that is no number", "4711 (x) S y", 0, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pid, parent, err := parseStat(tt.line)
			if pid != tt.pid || parent != tt.parent || (err != nil) != tt.fails {
				t.Errorf("parseStat: %d, %d, %v", pid, parent, err)
			}
		})
	}
}

func TestParseMachine(t *testing.T) {
	used, err := parseMachine("cpu  1 2 3 1000 2000 4 5 6 7 8\ncpu0 1 1 1\n")
	if err != nil || used != 210*time.Millisecond {
		t.Errorf("parseMachine: %v, %v; want all but idle and iowait", used, err)
	}
	for _, text := range []string{"", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu 1 2 3 4 5 x 7 8"} {
		if _, err := parseMachine(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestParsePeak(t *testing.T) {
	peak, err := parsePeak("Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t   12 kB\nVmRSS:\t 8 kB\n")
	if err != nil || peak != 12<<10 {
		t.Errorf("parsePeak: %d, %v", peak, err)
	}
	if _, err := parsePeak("Name:\tx\n"); err == nil {
		t.Error("a status without VmHWM: no error")
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	us := []int{os.Getpid()}
	before, err := CPU(us)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
	}
	after, err := CPU(us)
	if err != nil || after <= before {
		t.Errorf("processor time before %v, after %v, %v", before, after, err)
	}
	if peak, err := PeakMemory(us); err != nil || peak < 1<<20 {
		t.Errorf("peak of a Go program: %d bytes, %v", peak, err)
	}
}

func TestTreeHasTheChildrenAndStopEndsThem(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	// The shell ignores the polite signal, so that Stop has to insist.
	p, err := Start(Command{Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; echo ready; sleep 60 & wait; wait"}, Dir: "/", Out: log, Err: log})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids, err := Tree(p.PID())
		if err != nil {
			t.Fatal(err)
		}
		if len(pids) == 2 && slices.Contains(pids, p.PID()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("tree is %v, want the shell and its sleep", pids)
		}
		time.Sleep(time.Millisecond)
	}
	if err := p.Stop(50 * time.Millisecond); err == nil {
		t.Error("Stop of a program that ignores SIGTERM: no error")
	}
	<-p.Done()
	if got := p.LastWords(); got != "ready" {
		t.Errorf("last words %q", got)
	}
}
