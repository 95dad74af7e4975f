package lane

import "golang.org/x/sys/unix"

// hasLeft reports whether the visitor has closed his side of the connection.
// Bytes that still lie in it, a pipelined request or the goodbye of TLS, do not
// hide that.
func hasLeft(fd uintptr) bool {
	poll := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		_, err := unix.Poll(poll[:], 0)
		if err == unix.EINTR { //nolint:errorlint // system calls return it bare
			continue
		}
		return err == nil && poll[0].Revents != 0
	}
}
