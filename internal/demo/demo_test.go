package demo

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/demo/vendor"
)

func TestRun_TellsTheTruthAndLeavesNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := runtime.NumGoroutine()
	var out bytes.Buffer
	end, err := run(t.Context(), Options{Out: &out, Duration: 7 * time.Second, Seed: 11, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Logf("\n%s", out.String())
	f := end.figures

	for method, c := range map[string]column{"GET": f.get, "POST": f.post} {
		if c.sent == 0 || c.sent != c.logged {
			t.Errorf("%s: the clients made %d requests, and the door logged %d", method, c.sent, c.logged)
		}
		if atLast := c.logged - c.last[fine]; atLast != c.failed {
			t.Errorf("%s: %d failed for the clients, and %d by the door's log", method, c.failed, atLast)
		}
	}
	if f.get.firstFailed() == 0 || f.get.failed*20 > f.get.firstFailed() {
		t.Errorf("GET: %d failed without the door, and %d with it", f.get.firstFailed(), f.get.failed)
	}

	// Each attempt of the log is in the ledger, except those that no server saw.
	attempts := 0
	for _, w := range f.servers {
		attempts += w.attempts
	}
	if attempts != f.attempts {
		t.Errorf("%d attempts on all servers, %d in all", attempts, f.attempts)
	}
	received := 0
	for fault := vendor.None; fault <= vendor.Cut; fault++ {
		received += end.ledger.Met(fault)
	}
	if received == 0 || received > f.attempts {
		t.Errorf("the vendor received %d requests, and the door made %d attempts", received, f.attempts)
	}
	orders, again := end.ledger.Applied()
	if again != 0 || f.twice != 0 {
		t.Errorf("orders were carried out again %d times; shown is %d", again, f.twice)
	}
	if good := f.post.sent - f.post.failed; orders != good+f.carried {
		t.Errorf("%d orders were carried out, %d succeeded and %d failed nevertheless", orders, good, f.carried)
	}

	for _, want := range []string{"http://127.0.0.1:", "/metrics", end.config, "5s: GET", "orders carried out twice", "--seed 11"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("a buffer got a terminal's escape sequences")
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v %v", left, err)
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestRun_EndsAtOnceWhenToldTo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := Run(ctx, Options{Out: &out, Listen: "127.0.0.1:0"}); err != nil {
		t.Error(err)
	}
}

func TestRun_SaysWhatIsWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := []struct {
		name    string
		options Options
		want    []string
	}{
		{"an address in use", Options{Listen: taken.Addr().String()}, []string{taken.Addr().String(), "address already in use", "--listen"}},
		{"an address that is none", Options{Listen: "here"}, []string{"here", "--listen"}},
		{"a rate of nothing", Options{Rate: -1}, []string{"the rate is -1"}},
		{"a rate that no demo stands", Options{Rate: mostRate + 1}, []string{"want 1 to 2000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			var out bytes.Buffer
			tt.options.Out = &out
			err := Run(t.Context(), tt.options)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v %v", left, err)
			}
		})
	}
}
