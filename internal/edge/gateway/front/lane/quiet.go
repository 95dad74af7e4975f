package lane

import (
	"io"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	inSize    = 8 << 10
	outSize   = 8 << 10
	firstSize = 1 << 10 // most heads fit
)

// buffers are what a session holds while it is not quiet.
type buffers struct {
	in  [inSize]byte
	out [outSize]byte
}

var spare = sync.Pool{New: func() any { return new(buffers) }}

// takeBuffers makes s able to read and to answer.
func (s *session) takeBuffers() {
	if s.buffers == nil {
		s.buffers = spare.Get().(*buffers)
		s.in, s.resp.out = s.buffers.in[:], s.buffers.out[:0]
	}
}

// giveBuffers gives them back, with what a large header made of the second.
func (s *session) giveBuffers() {
	if s.buffers != nil {
		spare.Put(s.buffers)
		s.buffers, s.in, s.resp.out = nil, nil, nil
	}
}

// mayLeaveToRead reports whether the answer, which is whole in the buffer, may be
// sent by the read that waits for the next request, and notes that it is. A next
// request is never there at once: with the write behind the moment at which the
// socket is made ready to be waited on, no arrival can be missed, and the look that
// would find nothing is saved.
func (s *session) mayLeaveToRead() bool {
	w := &s.resp
	s.unsent = s.conn.TLS == nil && s.raw != nil && s.r == s.w && s.body.read() && len(w.out) > 0 && !w.closing && !w.timed && w.failed == nil
	return s.unsent
}

// readQuietly waits for the next request and reads its first bytes. While there
// are none, which is most of the time on most connections, the session holds no
// buffers.
func (s *session) readQuietly() (n int, err error) {
	if s.conn.TLS != nil {
		return s.readSecretly()
	}
	err = s.raw.Read(s.tryRead)
	if s.unsent { // the kernel did not take all of it
		if err := s.sendRest(); err != nil {
			return 0, err
		}
		err = s.raw.Read(s.tryRead)
	}
	if err != nil {
		return 0, err
	}
	if s.got == 0 && s.readErr == nil {
		return 0, io.EOF
	}
	return s.got, s.readErr
}

// sendRest sends the answer that was left to the read in the ordinary way, in which
// a visitor who takes it slowly is watched.
func (s *session) sendRest() error {
	err := s.resp.flush()
	s.sent()
	return err
}

// sent notes that the answer has gone out: only now the connection waits.
func (s *session) sent() {
	s.unsent = false
	s.resp.out = s.buffers.out[:0]
	s.conn.state.Store(idle)
}

// readSecretly does so over TLS, which may have the request already when nothing
// is in the socket. It waits with a small buffer instead of none; what does not
// fit is had from TLS by the next read without asking the kernel.
func (s *session) readSecretly() (n int, err error) {
	if s.first == nil {
		s.first = make([]byte, firstSize)
	}
	s.giveBuffers()
	n, err = s.conn.Read(s.first)
	s.takeBuffers()
	copy(s.in, s.first[:n])
	return n, err
}

// readOnce is readQuietly's look at the socket. It reports false if nothing was
// there. With an answer to send it sends that instead, and reports true if the
// kernel does not take all of it.
func (s *session) readOnce(fd uintptr) bool {
	if s.unsent {
		n, err := again(unix.Write, fd, s.resp.out)
		if s.resp.out = s.resp.out[max(n, 0):]; err != nil || len(s.resp.out) > 0 {
			return true
		}
		s.sent()
		s.giveBuffers()
		return false
	}
	s.takeBuffers()
	n, err := again(unix.Read, fd, s.in)
	if err == unix.EAGAIN { //nolint:errorlint // system calls return it bare
		s.giveBuffers()
		return false
	}
	s.got, s.readErr = max(n, 0), err
	return true
}

// again makes a system call until no signal interrupts it.
func again(call func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != unix.EINTR { //nolint:errorlint // system calls return it bare
			return n, err
		}
	}
}
