//go:build unix && !linux

package lane

import "golang.org/x/sys/unix"

// hasLeft reports whether the visitor has closed his side of the connection, as
// far as that can be told: behind unread bytes it cannot.
func hasLeft(fd uintptr) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return n == 0 && err == nil || err != nil && err != unix.EAGAIN && err != unix.EINTR //nolint:errorlint // system calls return them bare
}
