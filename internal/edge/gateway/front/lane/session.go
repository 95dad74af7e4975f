package lane

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
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
	s.lane, s.conn, s.raw, s.readErr = nil, nil, nil, nil
	s.template, s.req, s.url, s.body = http.Request{}, http.Request{}, url.URL{}, body{}
	s.ctx.forget()
	s.resp.reset()
	s.giveBuffers()
	sessions.Put(s)
}
