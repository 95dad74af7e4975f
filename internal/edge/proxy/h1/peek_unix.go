//go:build unix

package h1

import (
	"errors"
	"syscall"
)

// peeker looks at a socket without reading from it.
type peeker struct {
	raw   syscall.RawConn
	look  func(fd uintptr) // bound once
	found peeked
}

func newPeeker(raw syscall.RawConn) *peeker {
	p := &peeker{raw: raw}
	p.look = p.recv
	return p
}

// peek uses Control, which looks at no deadline: that of the last request is
// still set, and may be over.
func (p *peeker) peek() peeked {
	p.found = peekClosed
	if err := p.raw.Control(p.look); err != nil {
		return peekClosed
	}
	return p.found
}

func (p *peeker) recv(fd uintptr) {
	var b [1]byte
	for {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			p.found = peekNothing
		case err != nil || n == 0:
			p.found = peekClosed
		default:
			p.found = peekData
		}
		return
	}
}
