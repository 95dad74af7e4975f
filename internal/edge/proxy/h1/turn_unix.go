//go:build unix

package h1

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// turn is a small request out and the beginning of its response in, on a plain
// socket.
//
// A response is never there at once. Whoever writes and then reads asks the kernel
// once in vain before he waits. Here the write happens after the socket has been
// made ready to be waited on, so that no arrival can be missed, and the first look
// is the one that finds something: a tenth of what a request costs this process
// apart from its writes.
type turn struct {
	raw  syscall.RawConn
	next func(fd uintptr) bool // step, bound once

	out, in     []byte
	tried       bool // to write
	wrote, read int
	err         error // of reading
}

func newTurn(raw syscall.RawConn) *turn {
	t := &turn{raw: raw}
	t.next = t.step
	return t
}

// do writes out and then waits for what can be read into in. wrote below len(out)
// says that the rest is to be written in the ordinary way, and that nothing was
// read. err is that of the reading, as Read of a net.Conn has it.
func (t *turn) do(out, in []byte) (wrote, read int, err error) {
	t.out, t.in, t.tried, t.wrote, t.read, t.err = out, in, false, 0, 0, nil
	if err := t.raw.Read(t.next); err != nil && t.tried && t.err == nil {
		t.err = err
	}
	t.out, t.in = nil, nil
	return t.wrote, t.read, t.err
}

// step is called until it returns true: at first at once, then whenever something
// may have arrived.
func (t *turn) step(fd uintptr) bool {
	if !t.tried {
		t.tried = true
		n, err := again(syscall.Write, fd, t.out)
		if err == nil {
			t.wrote = n
		}
		return t.wrote < len(t.out)
	}
	n, err := again(syscall.Read, fd, t.in)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return false
	case err != nil:
		t.err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", err)}
	case n == 0:
		t.err = io.EOF
	default:
		t.read = n
	}
	return true
}

// again makes a system call until no signal interrupts it.
func again(call func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}
