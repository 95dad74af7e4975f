package keyring

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// killAt names, for a process that TestMain turns into a rotation, its folder
// and the step before which it kills itself.
const killAt = "EVERGATE_TEST_KILL"

func TestMain(m *testing.M) {
	dir, step, is := strings.Cut(os.Getenv(killAt), "|")
	if !is {
		os.Exit(m.Run())
	}
	r, err := Open(dir, Options{step: func(name string) error {
		if name == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}})
	if err == nil {
		var k Key
		k, err = r.Rotate(Sticky)
		fmt.Println(k.ID)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var steps = []string{stepCreate, stepWrite, stepSync, stepRename, stepSyncDir, stepDone}

func TestKill9_AtEachStepOfTheFirstStartAndOfARotationLeavesGoodKeys(t *testing.T) {
	for _, first := range []bool{true, false} {
		for _, step := range steps {
			t.Run(fmt.Sprintf("first start %t, before %s", first, step), func(t *testing.T) {
				dir := t.TempDir()
				var before Key
				if !first {
					r, _ := opened(t, dir, Options{})
					before = r.Current(Sticky)
				}
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), killAt+"="+dir+"|"+step)
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("was not killed: %v: %s", err, out)
				}
				r, log := opened(t, dir, Options{})
				if log.Len() > 0 {
					t.Errorf("logged %s", log)
				}
				if !first && !strings.Contains(fmt.Sprint(r.All(Sticky)), before.ID) {
					t.Errorf("the key from before is lost: %v", r.All(Sticky))
				}
				renamed := step == stepSyncDir || step == stepDone
				if !first && (r.Current(Sticky).ID != before.ID) != renamed {
					t.Errorf("the key is %v, was %v", r.Current(Sticky), before)
				}
				if _, err := r.Rotate(Sticky); err != nil {
					t.Errorf("rotating after it: %v", err)
				}
			})
		}
	}
}

func TestRotate_FailsAtEachStepWithTheOldKeyWhole(t *testing.T) {
	for _, step := range steps[:5] {
		t.Run("no space at "+step, func(t *testing.T) {
			dir := t.TempDir()
			failing := ""
			r, _ := opened(t, dir, Options{step: func(name string) error {
				if name == failing {
					return syscall.ENOSPC
				}
				return nil
			}})
			before := r.Current(Sticky)
			failing = step
			if _, err := r.Rotate(Sticky); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "sticky.key") {
				t.Errorf("said %v", err)
			}
			if r.Current(Sticky).ID != before.ID {
				t.Error("the key has changed")
			}
			if _, err := os.Stat(r.path(Sticky) + ".new"); !os.IsNotExist(err) {
				t.Errorf("left something behind: %v", err)
			}
			failing = ""
			if _, err := r.Rotate(Sticky); err != nil {
				t.Errorf("the next one: %v", err)
			}
			if again, _ := opened(t, dir, Options{}); !strings.Contains(fmt.Sprint(again.All(Sticky)), before.ID) {
				t.Errorf("the key from before is lost: %v", again.All(Sticky))
			}
		})
	}
}
