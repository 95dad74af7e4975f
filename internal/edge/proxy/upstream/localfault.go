package upstream

import (
	"errors"
	"syscall"
)

// LocalFault reports whether err says that this machine had no file descriptor,
// no port or no memory for a connection. It is no word about the server, and must
// not count against it: a door out of descriptors would otherwise eject them all.
func LocalFault(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
