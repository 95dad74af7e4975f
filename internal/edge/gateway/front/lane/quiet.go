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

// readQuietly waits for the next request and reads its first bytes. While there
// are none, which is most of the time on most connections, the session holds no
// buffers. The kernel is asked as often as by a Read: once before the wait and
// once behind it.
func (s *session) readQuietly() (n int, err error) {
	if s.conn.TLS != nil {
		return s.readSecretly()
	}
	if err := s.raw.Read(s.tryRead); err != nil {
		return 0, err
	}
	if s.got == 0 && s.readErr == nil {
		return 0, io.EOF
	}
	return s.got, s.readErr
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

// readOnce is readQuietly's look at the socket. It reports false if nothing was there.
func (s *session) readOnce(fd uintptr) bool {
	s.takeBuffers()
	for {
		n, err := unix.Read(int(fd), s.in)
		switch err { //nolint:errorlint // system calls return it bare
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			s.giveBuffers()
			return false
		}
		s.got, s.readErr = max(n, 0), err
		return true
	}
}
