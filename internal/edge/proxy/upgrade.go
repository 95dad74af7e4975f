package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// upgrade makes the visitor's connection (or HTTP/2 stream) a tunnel to the
// server that answered 101, and returns when the tunnel has ended. An error says
// that it was never opened.
func (c *call) upgrade(resp *upstream.Response) error {
	visitor, err := c.takeOver(resp)
	if err != nil {
		_ = resp.Conn.Close()
		return fmt.Errorf("take over the visitor's connection: %w", err)
	}
	t := &tunnel{
		route: c.h.key, origin: c.h.origin.name, server: c.at.lease.Server(),
		visitor: visitor, upstream: upstreamEnd(resp.Conn), idle: c.h.tunnelIdle,
		websocket: strings.EqualFold(c.req.Upgrade, "websocket"),
	}
	c.x.Upgraded = true
	all := c.h.proxy.shared.tunnels
	wanted := all.add(t)
	c.h.origin.counters.tunnels.Inc()
	if !wanted {
		defer t.part()()
	}
	t.run()
	c.h.origin.counters.tunnels.Dec()
	all.remove(t)
	c.x.BytesIn += t.up.n.Load()
	if !c.extended {
		c.x.BytesOut += t.down.n.Load() // nobody else sees a hijacked connection
	}
	if reason := t.reason.Load(); reason != nil {
		c.x.Abort = *reason
	}
	return nil
}

// takeOver answers the visitor's request for an upgrade, and returns the
// visitor's end of the tunnel.
func (c *call) takeOver(resp *upstream.Response) (end, error) {
	h := c.w.Header()
	copyFields(h, resp.Fields, false)
	if cookie := c.at.lease.SetCookie(); cookie != "" {
		h["Set-Cookie"] = append(h["Set-Cookie"], cookie)
	}
	rc := http.NewResponseController(c.w)
	if c.extended {
		delete(h, "Sec-Websocket-Accept") // of a key that the visitor does not know
		c.w.WriteHeader(http.StatusOK)    // RFC 8441 section 5
		c.x.Status = http.StatusOK
		if err := flush(c.w); err != nil {
			return nil, err
		}
		return &streamEnd{w: c.w, r: c.r, rc: rc}, nil
	}
	conn, rw, err := rc.Hijack()
	if err != nil {
		return nil, err
	}
	c.x.Status = http.StatusSwitchingProtocols
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	protocol := resp.Get("Upgrade")
	if protocol == "" {
		protocol = c.req.Upgrade
	}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol + "\r\n")
	_ = h.WriteSubset(&head, map[string]bool{"Connection": true, "Upgrade": true}) // a Buffer takes everything
	head.WriteString("\r\n")
	if _, err := conn.Write(head.Bytes()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return newConnEnd(conn, rw.Reader), nil
}

// connEnd is a hijacked connection, with what had been read from it before.
type connEnd struct {
	net.Conn
	rest []byte
}

func newConnEnd(conn net.Conn, r *bufio.Reader) *connEnd {
	e := &connEnd{Conn: conn}
	if n := r.Buffered(); n > 0 {
		rest, _ := r.Peek(n) // that much is there
		e.rest = bytes.Clone(rest)
	}
	return e
}

// Read implements io.Reader.
func (e *connEnd) Read(p []byte) (int, error) {
	if len(e.rest) > 0 {
		n := copy(p, e.rest)
		e.rest = e.rest[n:]
		return n, nil
	}
	return e.Conn.Read(p)
}

// CloseWrite implements end.
func (e *connEnd) CloseWrite() error { return closeWrite(e.Conn) }

// closeWrite half-closes conn, also through wrappers that show what is inside.
func closeWrite(conn any) error {
	for {
		switch c := conn.(type) {
		case interface{ CloseWrite() error }:
			return c.CloseWrite()
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return errors.ErrUnsupported
		}
	}
}

// streamEnd is an HTTP/2 stream. Only the handler's return ends what is sent on
// it, so that it cannot be half-closed: its other direction ends as well.
type streamEnd struct {
	w     http.ResponseWriter
	r     *http.Request
	rc    *http.ResponseController
	ended atomic.Bool // all has been sent; a write deadline would reset the stream
}

// Read implements io.Reader.
func (e *streamEnd) Read(p []byte) (int, error) { return e.r.Body.Read(p) }

// Write implements io.Writer.
func (e *streamEnd) Write(p []byte) (int, error) {
	n, err := e.w.Write(p)
	if err == nil {
		err = flush(e.w)
	}
	return n, err
}

// CloseWrite implements end.
func (e *streamEnd) CloseWrite() error {
	e.ended.Store(true)
	return e.rc.SetReadDeadline(past)
}

// Close implements end.
func (e *streamEnd) Close() error {
	err := e.rc.SetReadDeadline(past)
	if !e.ended.Load() {
		err = errors.Join(err, e.rc.SetWriteDeadline(past))
	}
	return err
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// upstreamEnd is conn as an end of a tunnel.
func upstreamEnd(conn io.ReadWriteCloser) end {
	if e, ok := conn.(end); ok {
		return e
	}
	return wholeEnd{conn}
}

// wholeEnd is a connection that cannot be half-closed.
type wholeEnd struct{ io.ReadWriteCloser }

// CloseWrite implements end.
func (wholeEnd) CloseWrite() error { return errors.ErrUnsupported }
