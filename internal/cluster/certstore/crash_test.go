package certstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/evergate/evergate/internal/cluster/store"
)

// killAt makes TestMain a process that changes the storage in a folder and kills
// itself before a step: FOLDER|STEP|ACT.
const killAt = "EVERGATE_TEST_KILL"

func TestMain(m *testing.M) {
	order := strings.Split(os.Getenv(killAt), "|")
	if len(order) != 3 {
		os.Exit(m.Run())
	}
	n := New(Options{Store: nowhere{}, Dir: order[0], Holder: "x", May: func() bool { return false }, Log: quiet, step: func(step string) error {
		if step == order[1] {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}})
	var err error
	switch ctx := context.Background(); order[2] {
	case "store":
		err = n.Store(ctx, "dir/x", []byte("new"))
	case "delete":
		err = n.Delete(ctx, "dir/x")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// nowhere is a store that is never there.
type nowhere struct{}

func (nowhere) Write(context.Context, func(*store.Tx) error) error { return errCut }
func (nowhere) Read(context.Context, func(*store.Tx) error) error  { return errCut }
func (nowhere) Listen(string) (<-chan struct{}, func())            { return nil, func() {} }

func TestKill9_AtEachStepLeavesTheOldValueOrTheNew(t *testing.T) {
	steps := []string{stepWrite, stepSync, stepRename, stepSyncDir, stepDone}
	tests := []struct {
		name, act string
		before    string // value of the key; "" none
		step      string
		want      string // the value found after it
		stored    string // what the store is told later
	}{}
	for i, step := range steps {
		renamed := i >= 3
		after := func(old, changed string) string {
			if renamed {
				return changed
			}
			return old
		}
		tests = append(tests, []struct {
			name, act, before, step, want, stored string
		}{
			{"the first value", "store", "", step, after("", "new"), after("", "new")},
			{"another value", "store", "old", step, after("old", "new"), after("old", "new")},
			// The list of deletions is what is renamed: with it the key is gone.
			{"a deletion", "delete", "old", step, after("old", ""), after("old", "")},
		}...)
	}
	tests = append(tests, struct{ name, act, before, step, want, stored string }{"a deletion", "delete", "old", stepRemove, "", ""})
	for _, tt := range tests {
		t.Run(tt.name+" before "+tt.step, func(t *testing.T) {
			s := openStore(t, "")
			dir := t.TempDir()
			if tt.before != "" {
				must(t, node(t, s, dir).Store(t.Context(), "dir/x", []byte(tt.before)))
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), killAt+"="+filepath.Join(dir, "certs")+"|"+tt.step+"|"+tt.act)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("was not killed: %v: %s", err, out)
			}
			without := node(t, nowhere{}, dir, func(o *Options) { o.May = func() bool { return false } })
			_ = without.pass(t.Context()) // which reads the disk, and fails then
			if !has(without, "dir/x", tt.want) {
				got, err := without.Load(t.Context(), "dir/x")
				t.Errorf("after it, without the store, there is %q, %v, want %q", got, err, tt.want)
			}
			must(t, node(t, s, dir).pass(t.Context()))
			other := node(t, s, t.TempDir())
			must(t, other.pass(t.Context()))
			if !has(other, "dir/x", tt.stored) {
				got, err := other.Load(t.Context(), "dir/x")
				t.Errorf("another node has %q, %v, want %q", got, err, tt.stored)
			}
			left, err := filepath.Glob(filepath.Join(dir, "certs", "*", tempPrefix+"*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestStorage_AFullDiskIsAnErrorThatChangesNothing(t *testing.T) {
	for _, step := range []string{stepWrite, stepSync, stepRename} {
		t.Run("at "+step, func(t *testing.T) {
			s := openStore(t, "")
			full := false
			n := node(t, s, t.TempDir(), func(o *Options) {
				o.step = func(name string) error {
					if full && name == step {
						return syscall.ENOSPC
					}
					return nil
				}
			})
			must(t, n.Store(t.Context(), "x", []byte("old")))
			must(t, n.Store(t.Context(), "y", []byte("old")))
			other := node(t, s, t.TempDir())
			must(t, other.pass(t.Context()))
			must(t, other.Store(t.Context(), "y", []byte("of another node")))
			full = true
			if err := n.Store(t.Context(), "x", []byte("new")); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Store said %v", err)
			}
			if !has(n, "x", "old") {
				t.Error("the old value is lost")
			}
			if err := n.pass(t.Context()); !errors.Is(err, syscall.ENOSPC) || !errors.Is(n.State().Disk, syscall.ENOSPC) || n.State().Err != nil {
				t.Errorf("the pass said %v, the state is %+v", err, n.State())
			}
			full = false
			must(t, n.pass(t.Context()))
			if !has(n, "x", "old") || !has(n, "y", "of another node") || n.State().Disk != nil {
				t.Errorf("after it: %+v", n.State())
			}
		})
	}
}
