//go:build unix

package front

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// setReusePort lets several sockets of this user listen on one port, or ends it.
func setReusePort(raw syscall.RawConn, on bool) error {
	value := 0
	if on {
		value = 1
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value))
	}); err != nil {
		return err
	}
	return failed
}
