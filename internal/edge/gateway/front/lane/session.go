package lane

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// lingerTime and lingerBytes bound what is taken from a visitor who is still
	// sending when his answer is complete. The rest of a body makes way for the next
	// request; where the connection ends, closing at once would take the answer back.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// session is a connection while it is served: its buffers, and the parts of the
// request and the response that are used again for each.
type session struct {
	lane *Lane
	conn *Conn

	buffers *buffers // nil: while nothing is to be read or written
	in      []byte   // theirs; in[r:w] was read and not used yet
	r, w    int
	fresh   bool        // no request has come yet
	until   time.Time   // the read deadline; zero: none
	changed atomic.Bool // the read deadline may be another than until

	template http.Request // what all requests of the connection have in common
	req      http.Request
	url      url.URL
	body     body
	resp     response
	ctx      requestContext

	raw     syscall.RawConn // the socket; nil: it is closed
	tryRead func(fd uintptr) bool
	got     int // by tryRead
	readErr error
	unsent  bool   // the answer is left to readQuietly, and the connection still busy
	first   []byte // over TLS; nil: not needed yet
}

var sessions = sync.Pool{New: func() any {
	s := new(session)
	s.resp.header = make(http.Header)
	s.tryRead = s.readOnce // bound once, as it would be an allocation per request
	return s
}}

func newSession(l *Lane, c *Conn) *session {
	s := sessions.Get().(*session)
	s.lane, s.conn, s.r, s.w = l, c, 0, 0
	s.fresh, s.until = true, time.Time{}
	s.changed.Store(false)
	s.ctx.begin(s)
	s.takeBuffers()
	// An error says that the connection is closed; reading and writing will say so too.
	s.raw, _ = c.Socket.SyscallConn()
	// Only WithContext can give a Request its context; a copy keeps it.
	s.template = *(&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: c.RemoteAddr().String(), TLS: c.TLS,
	}).WithContext(&s.ctx)
	return s
}

// free gives s back. The connection is over, or net/http's.
func (s *session) free() {
	s.lane, s.conn, s.raw, s.readErr, s.unsent = nil, nil, nil, nil, false
	s.template, s.req, s.url, s.body = http.Request{}, http.Request{}, url.URL{}, body{}
	s.ctx.forget()
	s.resp.reset()
	s.giveBuffers()
	sessions.Put(s)
}

// verdict is what the next request is.
type verdict uint8

const (
	simple verdict = iota
	notSimple
	over // there is none
)

// next reads the next head into the session's request.
func (s *session) next() verdict {
	// At first the connection may have bytes of its own ahead of the socket's.
	quiet := s.r == s.w && !s.fresh && s.raw != nil
	if s.r == s.w {
		s.r, s.w = 0, 0
		s.awaitRequest()
	} else if !s.conn.state.CompareAndSwap(idle, busy) {
		return over
	}
	most := min(s.lane.HeadBytes, headMost)
	looked := s.r
	partial := s.r < s.w
	if partial && headEnd(s.in[s.r:s.w], 0) == 0 {
		s.awaitHead()
	}
	for {
		if end := headEnd(s.in[s.r:s.w], looked-s.r); end > 0 {
			head := s.in[s.r : s.r+end]
			if len(head) > most || !s.request(head) {
				return notSimple
			}
			s.r += end
			s.fresh = false
			if s.body.left > int64(s.w-s.r) && (s.changed.Load() || !s.until.IsZero()) {
				s.setDeadline(time.Time{}) // the time for a body is the handler's to limit
			}
			return simple
		}
		looked = max(s.r, s.w-3)
		if s.w-s.r >= most || surelyNot(s.in[s.r:s.w]) {
			return notSimple
		}
		if s.w == len(s.in) {
			looked -= s.r
			s.w = copy(s.in, s.in[s.r:s.w])
			s.r = 0
		}
		n, err := s.read(quiet)
		s.w += n
		quiet = false
		if n > 0 && !partial {
			if !s.conn.state.CompareAndSwap(idle, busy) {
				return over
			}
			partial = true
			if headEnd(s.in[s.r:s.w], 0) == 0 {
				s.awaitHead()
			}
		}
		switch {
		case n > 0 || err == nil:
		case partial && err == io.EOF: //nolint:errorlint // connections return it bare
			return notSimple // he may still listen, and hears 400
		default:
			return over // net/http says nothing either to who leaves or stops in a head
		}
	}
}

// read reads on behind what is in the buffer. With quiet there is nothing in it.
func (s *session) read(quiet bool) (int, error) {
	if quiet {
		return s.readQuietly()
	}
	return s.conn.Read(s.in[s.w:])
}

// awaitRequest gives the visitor time for the first byte of a request. On a busy
// connection the deadline is moved now and then, not with each request.
func (s *session) awaitRequest() {
	limit, step := s.lane.IdleTimeout, s.lane.IdleTimeout/16
	switch now := time.Now(); {
	case s.fresh:
		if limit = s.lane.HeaderTimeout; limit > 0 {
			s.setDeadline(now.Add(limit))
		}
	case limit <= 0:
		if s.changed.Load() {
			s.setDeadline(time.Time{})
			s.changed.Store(false)
		}
	case s.changed.Load() || now.Add(limit-step).After(s.until):
		s.setDeadline(now.Add(limit))
		s.changed.Store(false)
	}
}

// awaitHead gives the visitor time for the rest of a head. The first one's runs
// from the beginning of the connection.
func (s *session) awaitHead() {
	if s.fresh {
		return
	}
	until := time.Time{}
	if s.lane.HeaderTimeout > 0 {
		until = time.Now().Add(s.lane.HeaderTimeout)
	}
	s.setDeadline(until)
}

// setDeadline sets the read deadline to another one than awaitRequest's.
func (s *session) setDeadline(t time.Time) {
	// An error says that the connection is closed; the Read will say so too.
	_ = s.conn.SetReadDeadline(t)
	s.until = t
	s.changed.Store(true)
}

// serve answers the request and reports whether another one may follow.
func (s *session) serve() bool {
	s.ctx.renew()
	returned := s.handle()
	s.body.end()
	return returned && s.resp.finish() && s.body.skip()
}

// handle runs the handler, and reports whether it has returned.
func (s *session) handle() (returned bool) {
	defer func() {
		v := recover()
		s.ctx.end()
		if returned {
			return
		}
		s.resp.abort()
		switch {
		case v == nil: // runtime.Goexit: nothing but deferred functions will run
			s.body.end()
			_ = s.conn.Close()
		case v != http.ErrAbortHandler && s.lane.Panicked != nil: //nolint:errorlint // net/http compares like this
			s.lane.Panicked(v)
		}
	}()
	s.lane.Handler.ServeHTTP(&s.resp, &s.req)
	return true
}

// close ends the connection. One that was aborted ends at once; another is given
// the time to read its answer while it may still be sending.
func (s *session) close() {
	if !s.resp.aborted && (s.body.left > 0 || s.r < s.w) {
		s.linger()
	}
	_ = s.conn.Close()
}

func (s *session) linger() {
	if cw, ok := s.conn.Conn.(interface{ CloseWrite() error }); !ok || cw.CloseWrite() != nil {
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(lingerTime))
	for n := 0; n < lingerBytes; {
		got, err := s.conn.Read(s.in)
		if err != nil {
			return
		}
		n += got
	}
}
