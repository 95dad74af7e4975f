package adminsocket

import (
	"os/user"
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestListen_SharesWithItsOwnGroupWithoutChown is what the systemd unit allows: its
// SystemCallFilter takes chown away.
func TestListen_SharesWithItsOwnGroupWithoutChown(t *testing.T) {
	mine, err := user.LookupGroupId(currentGroup(t))
	if err != nil {
		t.Skipf("this user's group has no name: %v", err)
	}
	path := filepath.Join(shortDir(t), Name)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with this goroutine, and the filter with it
		if err := refuseChown(); err != nil {
			t.Logf("not tried, there is no seccomp here: %v", err)
			return
		}
		listener, shared, err := Listen(path, mine.Name)
		if err != nil {
			t.Error(err)
			return
		}
		defer listener.Close()
		if !shared || mode(t, path) != 0o660 {
			t.Errorf("shared %t, socket %o; want true, 660", shared, mode(t, path))
		}
	}()
	<-done
}

// refuseChown makes the system calls that change a file's owner answer EPERM in
// this thread (seccomp(2)).
func refuseChown() error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the system call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FCHOWNAT, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FCHOWN, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&filter))); errno != 0 {
		return errno
	}
	return nil
}
