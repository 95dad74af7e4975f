package store_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// insideVariable says that this process may lose its fsync for good.
const insideVariable = "EVERGATE_STORETEST_NO_FSYNC"

// TestW1_AFailedFsyncEndsAllWriting lets the kernel refuse fsync to a process of
// its own, as it does when a disk dies.
func TestW1_AFailedFsyncEndsAllWriting(t *testing.T) {
	if os.Getenv(insideVariable) != "" {
		failFsync(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideVariable+"=yes")
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("needs seccomp: %s", out)
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func failFsync(t *testing.T) {
	s := storetest.Open(t, store.Options{Dir: t.TempDir()})
	if err := s.Write(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	refuseFsync(t)
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			if err := s.Write(t.Context(), put("during"+string(rune('a'+i)))); !errors.Is(err, store.ErrReadOnly) || !store.Lost(err) {
				t.Errorf("a write whose fsync fails says %v, want ErrReadOnly", err)
			}
		})
	}
	group.Wait()
	if err := storetest.WaitLost(t, s); !errors.Is(err, store.ErrReadOnly) || !strings.Contains(s.State().Advice, "restart") {
		t.Errorf("it is lost for %v with the advice %q", err, s.State().Advice)
	}
	if got := strings.Join(keys(t, s), " "); !strings.Contains(got, "before") {
		t.Errorf("read %q, want what was durable", got)
	}
	// No second try, ever: it might succeed, and prove nothing.
	select {
	case <-s.Changed():
		t.Errorf("the state changed to %+v", s.State())
	case <-time.After(3 * time.Second):
	}
}

// refuseFsync makes fsync and fdatasync answer EIO in all threads of this process
// (seccomp(2)).
func refuseFsync(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	equal := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jt: skip}
	}
	answer := func(value uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value}
	}
	const numberOffset = 0 // of the system call's number in struct seccomp_data
	program := []unix.SockFilter{
		load(numberOffset),
		equal(unix.SYS_FSYNC, 2),
		equal(unix.SYS_FDATASYNC, 1),
		answer(unix.SECCOMP_RET_ALLOW),
		answer(unix.SECCOMP_RET_ERRNO | uint32(unix.EIO)),
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		t.Skip(errno)
	}
}
