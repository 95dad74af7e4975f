//go:build !linux

package api

import "syscall"

// peerUID knows no way on this system; a peer that nobody vouches for is refused.
func peerUID(syscall.Conn) (uint32, bool) { return 0, false }
