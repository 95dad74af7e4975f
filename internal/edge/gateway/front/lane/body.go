package lane

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// errAbsent is what reading a body yields after its handler has returned.
var errAbsent = errors.New("lane: body read after the handler returned")

// body is a request body of known length. One goroutine at a time reads it.
type body struct {
	s    *session // nil: there is none
	left int64
	all  atomic.Bool // of it has been read

	mu   sync.Mutex // guards done
	done bool       // the handler has returned
}

var _ io.ReadCloser = (*body)(nil)

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return 0, errAbsent
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if len(p) == 0 {
		return 0, nil
	}
	s := b.s
	if s.r < s.w {
		n := copy(p, s.in[s.r:s.w])
		s.r += n
		return n, b.took(n)
	}
	n, err := s.conn.Read(p)
	if err == io.EOF { //nolint:errorlint // connections return it bare
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		return n, b.took(n)
	}
	return 0, err
}

// read reports whether all of it has been read.
func (b *body) read() bool { return b.s == nil || b.all.Load() }

// took counts n bytes; io.EOF comes with the last.
func (b *body) took(n int) error {
	if b.left -= int64(n); b.left > 0 {
		return nil
	}
	b.all.Store(true)
	b.s.ctx.bodyRead()
	return io.EOF
}

// Close implements io.Closer. What is left is dealt with after the handler.
func (b *body) Close() error { return nil }

// end takes the body from its readers: the handler has returned.
func (b *body) end() {
	if b.s == nil {
		return
	}
	if !b.mu.TryLock() { // somebody the handler has left behind waits for more of it
		b.s.setDeadline(past)
		b.mu.Lock()
	}
	b.done = true
	b.mu.Unlock()
}

// skip throws away what was not read, which is little, and reports whether the
// next request follows. What has not come within lingerTime is not waited for.
func (b *body) skip() bool {
	if b.s == nil {
		return true
	}
	s := b.s
	n := min(int64(s.w-s.r), b.left)
	s.r += int(n)
	if b.left -= n; b.left == 0 {
		return true
	}
	s.r, s.w = 0, 0
	s.setDeadline(time.Now().Add(lingerTime))
	for b.left > 0 {
		n, err := s.conn.Read(s.in[:min(int64(len(s.in)), b.left)])
		if b.left -= int64(n); err != nil {
			return false
		}
	}
	return true
}
