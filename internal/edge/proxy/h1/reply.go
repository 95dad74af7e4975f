package h1

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// reply is one attempt, and afterwards its response. It is one allocation per
// request; all that is large in it is the connection's and goes back with it.
type reply struct {
	upstream.Response

	t         *Transport
	c         *conn // nil when the attempt is over
	ctx       context.Context
	stop      func() bool // takes the context's hand off the connection; nil: it has none
	unwatched bool        // the context has no hand on the connection yet, and might
	up        *upload     // nil: the request went out in one write

	sent    exchange.SendClass
	first   error // of the first look at the response, not told yet
	broken  error // of a write that failed half-way, while the response may be there
	head    bool  // the request was HEAD
	upgrade bool

	keep bool // the server leaves the connection open
	body body
}

// watch has the end of the context cut the connection.
func (a *reply) watch() {
	if a.unwatched {
		a.unwatched = false
		a.stop = context.AfterFunc(a.ctx, a.c.cutFunc)
	}
}

// looked is called when a read ran into its deadline. It reports whether that
// was only the first look, and then follows the context.
func (a *reply) looked() bool {
	if !a.unwatched {
		return false
	}
	a.c.setRead(a.c.headLimit(time.Time{}))
	a.watch()
	return true
}

// answered reports whether the server has sent anything that was not used yet.
func (a *reply) answered() bool { return a.c.in.w > a.c.in.r }

// buffered reports whether the whole body has been read from the connection.
func (a *reply) buffered() bool {
	return a.body.kind == bodyNone || (a.body.kind == bodyLength && a.body.left <= int64(a.c.in.w-a.c.in.r))
}

// readHead reads the next head into h. Its fields are valid until the next call.
func (a *reply) readHead(h *head) error {
	in := a.c.in
	limit := int(a.t.o.ResponseHeaderBytes)
	line := in.r   // where the current line starts
	looked := line // no line end before this, in the current line
	waiting := a.up != nil && !a.up.started
	var patience time.Time
	if waiting {
		patience = time.Now().Add(expectWait)
		a.c.setRead(a.c.headLimit(patience))
	}
	for {
		for {
			i := bytes.IndexByte(in.buf[looked:in.w], '\n')
			if i < 0 {
				looked = in.w
				break
			}
			end := looked + i
			if end+1-in.r > limit {
				return ErrHeaderTooLarge
			}
			if size := end - line; size == 0 || (size == 1 && in.buf[line] == '\r') {
				b := in.buf[in.r : end+1]
				in.r = end + 1
				h.fields = in.fields
				err := parseHead(b, h, a.t.o.ResponseHeaderFields)
				in.fields = h.fields
				return err
			}
			line, looked = end+1, end+1
		}
		if in.w-in.r > limit {
			return ErrHeaderTooLarge
		}
		if in.w == len(in.buf) {
			if in.r > 0 {
				n := copy(in.buf, in.buf[in.r:in.w])
				line, looked = line-in.r, looked-in.r
				in.r, in.w = 0, n
			} else {
				grown := make([]byte, min(2*len(in.buf), limit+inboxSize))
				copy(grown, in.buf[:in.w])
				in.buf = grown
			}
		}
		n, err := 0, a.first
		if a.first = nil; err == nil {
			n, err = a.c.Conn.Read(in.buf[in.w:])
		}
		in.w += n
		if n > 0 || err == nil {
			continue
		}
		if isTimeout(err) {
			if a.looked() {
				continue
			}
			if waiting && a.ctx.Err() == nil && !time.Now().Before(patience) {
				// No word from the server: it may not know Expect (RFC 9110 section 10.1.1).
				waiting = false
				a.c.setRead(a.c.headLimit(time.Time{}))
				a.up.start()
				continue
			}
			if a.wait() {
				continue
			}
		}
		return err
	}
}

// wait is called when a read ran into its deadline. It reports whether there is
// time left because the clock stood still while the visitor sent the body, and
// then moves the deadline.
func (a *reply) wait() bool {
	if a.up == nil {
		return false
	}
	now := time.Now()
	stood, still := a.up.stood(now)
	left, ok := a.c.left(now, stood)
	if !ok || left <= 0 {
		return false
	}
	if still {
		left = max(left, pausedRecord)
	}
	a.c.setRead(now.Add(left))
	return true
}

// accept makes the response of a final head.
func (a *reply) accept(h *head) {
	r := &a.Response
	r.Status, r.Fields, r.Reused = h.status, h.fields, a.c.reused
	r.Trailer = noTrailer
	r.OnClose((*closer)(a))
	r.OnCut(a.c.cutFunc)
	a.keep = h.keepAlive
	switch { // RFC 9112 section 6.3
	case a.head, h.status == 204, h.status == 304:
		a.body.kind = bodyNone
	case h.chunked:
		a.body.kind = bodyChunked
		r.ContentLength = -1
		r.Trailer = a.trailer
	case h.length == 0:
		a.body.kind = bodyNone
	case h.length > 0:
		a.body.kind, a.body.left = bodyLength, h.length
		r.ContentLength = h.length
	default:
		a.body.kind = bodyUntilClose
		r.ContentLength = -1
		a.keep = false
	}
	if a.body.kind == bodyNone {
		a.body.err = io.EOF
	}
	r.Body = (*bodyReader)(a)
}

func noTrailer() []upstream.Field { return nil }

func (a *reply) trailer() []upstream.Field { return a.body.trailer }

// switchProtocols hands the connection over to the caller.
func (a *reply) switchProtocols(h *head) error {
	c := a.c
	if !a.upgrade || a.up != nil {
		return a.fail("read response", ErrUnasked)
	}
	if a.stop != nil && !a.stop() {
		return a.fail("read response", a.ctx.Err())
	}
	_ = c.socket.SetDeadline(time.Time{})
	tun := &tunnel{Conn: c.Conn, t: a.t, c: c}
	if c.in.w > c.in.r {
		tun.rest = append([]byte(nil), c.in.buf[c.in.r:c.in.w]...)
	}
	r := &a.Response
	r.Status, r.Reused = h.status, c.reused
	r.Fields = append([]upstream.Field(nil), h.fields...)
	r.Body, r.Trailer, r.Conn = noBody{}, noTrailer, tun
	c.in.free()
	c.in, a.c = nil, nil
	return nil
}

// closer is what Response.Close does.
type closer reply

// Close gives the connection back if all went well (guide, section 5.2), else
// it closes it.
func (cl *closer) Close() error {
	a := (*reply)(cl)
	c := a.c
	if c == nil {
		return nil
	}
	clean := a.keep && a.broken == nil && a.body.done()
	if a.up != nil {
		if !clean {
			c.cut()
			a.up.join()
		} else if !a.up.finish() {
			clean = false
		}
	}
	if a.stop != nil && !a.stop() {
		clean = false // the context's hand is on the connection
	}
	if c.wasCut() { // when all had been read already
		clean = false
	}
	clean = clean && c.in.r == c.in.w
	a.c, a.Fields = nil, nil
	in := c.in
	c.in = nil
	in.free()
	if clean {
		a.t.pool.put(c)
	} else {
		a.t.discard(c)
	}
	return nil
}
