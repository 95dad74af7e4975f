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
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// headMost is the largest head that is served here; a larger one is net/http's.
const headMost = 8 << 10

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
			if !s.unsent {
				c.state.Store(idle)
			}
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
