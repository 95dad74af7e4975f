package api

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerUID asks the kernel who opened the other end (unix(7), SO_PEERCRED): the
// user at the time of connect, which the peer cannot choose.
func peerUID(conn syscall.Conn) (uint32, bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || asked != nil {
		return 0, false
	}
	return cred.Uid, true
}
