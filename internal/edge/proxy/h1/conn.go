package h1

import (
	"crypto/tls"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

const inboxSize = 8 << 10

// past is a deadline that is over.
var past = time.Unix(1, 0)

// inbox is what a connection needs only while it works: an idle connection has
// none, so that a thousand of them cost little.
type inbox struct {
	buf    []byte // buf[r:w] was read from the connection and not used yet
	r, w   int
	fields []upstream.Field // of the head read last
}

var inboxes = sync.Pool{New: func() any { return &inbox{buf: make([]byte, inboxSize), fields: make([]upstream.Field, 0, 24)} }}

// free gives in back. Fields must not be used any longer.
func (in *inbox) free() {
	if len(in.buf) != inboxSize || cap(in.fields) > 64 {
		return // one large head must not make all later ones large
	}
	clear(in.fields)
	in.fields = in.fields[:0]
	in.r, in.w = 0, 0
	inboxes.Put(in)
}

// conn is one connection. It belongs to one attempt at a time; only cut, and
// the deadlines, are used by several goroutines.
type conn struct {
	net.Conn          // what requests are written to: the socket, or TLS over it
	socket   net.Conn // as dialed
	peeker   *peeker  // nil where sockets cannot be peeked at
	turn     *turn    // nil where there is none: over TLS too

	born      time.Time
	idleSince time.Time
	reused    bool   // it came from the pool
	in        *inbox // nil while idle

	cutFunc func() // cut, bound once

	mu    sync.Mutex // guards the fields below
	isCut bool       // its deadlines are past for ever
	base  time.Time  // when the attempt's context ends; zero: unknown
	limit time.Time  // when the head must be there; zero: no limit, or it is there
	moved bool       // a deadline is not what arm made it

	readBy, writeBy time.Time // the deadlines as arm has set them; zero: they are others
}

// bind makes, once per connection, what would otherwise be made per request.
func (c *conn) bind() {
	c.cutFunc = c.cut
	if sc, ok := c.socket.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.peeker, c.turn = newPeeker(raw), newTurn(raw)
		}
	}
}

// arm sets the deadlines of an attempt that begins at now. With look, reads
// return after firstLook for the first time, to see whether the attempt is still
// wanted.
//
// Attempts on a busy connection follow each other within milliseconds; deadlines
// that are still about right then stay as they are.
func (c *conn) arm(now, base, limit time.Time, look bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.limit, c.moved = base, limit, look
	over := earliest(base, limit)
	switch {
	case c.isCut: // the context has ended already
	case !look:
		c.readBy, c.writeBy = time.Time{}, time.Time{}
		_ = c.socket.SetDeadline(over)
	default:
		if slack := over.Sub(now) / 16; over.IsZero() || c.writeBy.After(over) || c.writeBy.Before(over.Add(-slack)) {
			c.writeBy = over
			_ = c.socket.SetWriteDeadline(over)
		}
		first := earliest(over, now.Add(firstLook))
		if c.readBy.After(first) || c.readBy.Before(first.Add(-firstLook/2)) {
			c.readBy = first
			_ = c.socket.SetReadDeadline(first)
		}
	}
}

// headDone lifts the head's limit: from now on only the context ends the attempt.
func (c *conn) headDone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limit.IsZero() && !c.moved {
		return
	}
	c.limit = time.Time{}
	if !c.isCut {
		c.readBy, c.writeBy = time.Time{}, time.Time{}
		_ = c.socket.SetDeadline(c.base)
	}
}

// cut ends all reads and writes, those under way and those to come. The
// connection must be closed afterwards.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	_ = c.socket.SetDeadline(past)
}

// wasCut reports whether nothing can be read or written any more.
func (c *conn) wasCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isCut
}

// setRead moves the deadline for reading, within the context's. Zero is none.
func (c *conn) setRead(d time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isCut {
		c.moved, c.readBy = true, time.Time{}
		_ = c.socket.SetReadDeadline(earliest(c.base, d))
	}
}

// setWrite moves the deadline for writing by the time that the clock stood still.
func (c *conn) setWrite(stood time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isCut && !c.limit.IsZero() {
		c.moved, c.writeBy = true, time.Time{}
		_ = c.socket.SetWriteDeadline(earliest(c.base, c.limit.Add(stood)))
	}
}

// left says how much of the head's limit is left at now if the clock stood still
// for stood; ok is false without a limit, and when the attempt is over anyway.
func (c *conn) left(now time.Time, stood time.Duration) (left time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut || c.limit.IsZero() || (!c.base.IsZero() && !now.Before(c.base)) {
		return 0, false
	}
	return c.limit.Add(stood).Sub(now), true
}

// headLimit is when the head must be there, or d if that is earlier.
func (c *conn) headLimit(d time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return earliest(c.limit, d)
}

// close closes the socket at once: a TLS goodbye could wait for a peer that
// does not read.
func (c *conn) close() { _ = c.socket.Close() }

// part closes an idle connection politely.
func (c *conn) part() {
	if tc, ok := c.Conn.(*tls.Conn); ok {
		_ = tc.Close()
		return
	}
	_ = c.socket.Close()
}

// alive reports whether an idle connection may be used: it is open and the
// server sent nothing. On TLS, what it sent may be a session ticket.
func (c *conn) alive() bool {
	_, secure := c.Conn.(*tls.Conn)
	if c.peeker != nil {
		switch c.peeker.peek() {
		case peekNothing:
			return true
		case peekClosed:
			return false
		case peekData:
			if !secure {
				return false
			}
		}
	}
	c.readBy = time.Time{}
	// With a past deadline Go would return without reading.
	if err := c.socket.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return false
	}
	var b [1]byte
	n, err := c.Conn.Read(b[:])
	return n == 0 && isTimeout(err)
}

// earliest returns the earlier of two deadlines; zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func isTimeout(err error) bool {
	if err == nil {
		return false
	}
	if err == os.ErrDeadlineExceeded { //nolint:errorlint // the fast path of the next line
		return true
	}
	ne, ok := asNetError(err)
	return ok && ne.Timeout()
}
