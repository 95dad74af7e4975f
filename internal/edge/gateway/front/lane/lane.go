// Package lane serves the plain majority of HTTP/1.1 requests without net/http.
//
// Most of what a door does is a GET on a connection that stays open, and most of
// what net/http spends on one is for what such a request does not do: a second
// goroutine that reads along, two deadlines, a copy of every header. The lane
// takes requests whose head is beyond doubt (head.go: strict CRLF lines, token
// names, one Host, no field that changes framing but one Content-Length in
// digits) and serves them on the connection's own goroutine. At the first
// request that is anything else, it gives the connection, with the bytes that
// were read, to net/http for good. So there is nothing here that is lenient, and
// nothing that upgrades, continues, chunks a request or pipelines with a body.
//
// A handler finds what it finds under net/http, with these differences: the
// Request is used again when the handler has returned; a response without
// Content-Length is chunked, however short, and one to HEAD gets none; no
// Content-Type is guessed, and a 304 keeps its own and its Content-Length; what
// was written before a panic is sent, unless it would look whole; after 101 the
// connection ends; there is no Hijack; and the visitor's leaving is looked for
// only after somebody has asked for the context's Done. DESIGN.md has the rest.
package lane

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// headMost is the largest head that is served here; a larger one is net/http's.
const headMost = 8 << 10

const (
	// lingerTime and lingerBytes bound what is taken from a visitor who is still
	// sending when his answer is complete. The rest of a body makes way for the next
	// request; where the connection ends, closing at once would take the answer back.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// Lane is the settings of many connections. They do not change once it serves.
type Lane struct {
	Handler       http.Handler
	HeaderTimeout time.Duration // from a request's first byte to the end of its head; on a new connection from its beginning; 0: none
	IdleTimeout   time.Duration // between two requests; 0: none
	HeadBytes     int           // largest head that is served here; above 8 KiB: 8 KiB
	Panicked      func(v any)   // is told of a panic that is not http.ErrAbortHandler; nil: nobody

	dates dateCache
}

// Conn is a connection and who may end it from outside.
type Conn struct {
	net.Conn              // plain, or TLS with its handshake done
	Socket   *net.TCPConn // beneath it; without TLS all but the first bytes may be read from here
	TLS      *tls.ConnectionState
	Context  context.Context // of all its requests

	state atomic.Int32
}

// The states of a Conn.
const (
	idle   = int32(iota) // between requests, or before the first
	busy                 // with a request
	closed               // from outside, while idle
)

// CloseIdle closes a connection that waits for a request, and reports whether it
// did. Any goroutine may call it.
func (c *Conn) CloseIdle() bool {
	if !c.state.CompareAndSwap(idle, closed) {
		return false
	}
	_ = c.Close()
	return true
}

// Busy reports whether a request is being served.
func (c *Conn) Busy() bool { return c.state.Load() == busy }

// Serve serves c until it ends, and closes it then. ok says that it has not
// ended: the next request is net/http's, and rest is what was read of it (and
// behind it). rest is the caller's.
func (l *Lane) Serve(c *Conn) (rest []byte, ok bool) {
	s := newSession(l, c)
	defer func() {
		// One connection must not end all. Here it is our own fault, so what is left of
		// the session is not used again.
		if v := recover(); v != nil {
			_ = c.Close()
			if l.Panicked != nil {
				l.Panicked(v)
			}
			rest, ok = nil, false
			return
		}
		s.free()
	}()
	for {
		switch s.next() {
		case simple:
			if !s.serve() {
				s.close()
				return nil, false
			}
			c.state.Store(idle)
		case notSimple:
			c.state.Store(busy)
			if s.changed.Load() {
				_ = c.SetReadDeadline(time.Time{}) // net/http sets its own
			}
			return append([]byte(nil), s.in[s.r:s.w]...), true
		case over:
			_ = c.Close()
			return nil, false
		}
	}
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

// errAbsent is what reading a body yields after its handler has returned.
var errAbsent = errors.New("lane: body read after the handler returned")

var _ io.ReadCloser = (*body)(nil)
