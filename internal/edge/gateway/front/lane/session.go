package lane

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	inSize  = 8 << 10
	outSize = 8 << 10
)

// session is a connection while it is served: its buffers, and the parts of the
// request and the response that are used again for each.
type session struct {
	lane *Lane
	conn *Conn

	in      [inSize]byte // in[r:w] was read and not used yet
	r, w    int
	fresh   bool      // no request has come yet
	until   time.Time // the read deadline; zero: none
	changed bool      // the read deadline may be another than until

	template http.Request // what all requests of the connection have in common
	req      http.Request
	url      url.URL
	body     body
	resp     response
	ctx      requestContext
}

var sessions = sync.Pool{New: func() any {
	s := new(session)
	s.resp.out = make([]byte, 0, outSize)
	s.resp.header = make(http.Header)
	return s
}}

func newSession(l *Lane, c *Conn) *session {
	s := sessions.Get().(*session)
	s.lane, s.conn, s.r, s.w = l, c, 0, 0
	s.fresh, s.until, s.changed = true, time.Time{}, false
	s.ctx.begin(s)
	// Only WithContext can give a Request its context; a copy keeps it.
	s.template = *(&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: c.RemoteAddr().String(), TLS: c.TLS,
	}).WithContext(&s.ctx)
	return s
}

// free gives s back. The connection is over, or net/http's.
func (s *session) free() {
	s.lane, s.conn = nil, nil
	s.template, s.req, s.url, s.body = http.Request{}, http.Request{}, url.URL{}, body{}
	s.ctx.forget()
	s.resp.reset()
	if cap(s.resp.out) > 2*outSize {
		s.resp.out = make([]byte, 0, outSize) // one large header must not make all later ones large
	}
	sessions.Put(s)
}
