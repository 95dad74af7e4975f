package front

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/edge/gateway/front/lane"
)

const (
	h2StreamWindow = 64 << 10 // bytes a visitor may send on a stream before we read them
	h2ConnWindow   = 1 << 20  // likewise on a whole connection
	h2FrameSize    = 16 << 10 // largest frame read; RFC 9113 section 4.2 allows no less
	h2TableSize    = 4 << 10  // HPACK table, each direction
	h2PingAfter    = 30 * time.Second
	h2PingTimeout  = 15 * time.Second
)

// generation is the servers made from one version of the settings. Connections
// are born into the current generation and stay in it to their end, so that a
// reload never pulls limits or timeouts from under a request.
type generation struct {
	front    *Front
	settings *settings
	server   *http.Server
	lane     *lane.Lane  // for plain HTTP/1.1, before server
	h3TLS    *tls.Config // nil: no https listener
	handoff  *handoff

	started bool
	open    atomic.Int64 // connections
	retired atomic.Bool
	done    chan struct{} // closed when server has returned
}

func newGeneration(f *Front, s *settings) *generation {
	g := &generation{front: f, settings: s, handoff: newHandoff(), done: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true) // over TLS only: without TLS a visitor speaks HTTP/1
	g.server = &http.Server{
		Handler:                      f.root,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is the handler's to answer
		ReadHeaderTimeout:            s.limits.HeaderTimeout.D(),
		IdleTimeout:                  s.limits.IdleTimeout.D(),
		MaxHeaderBytes:               int(s.limits.HeaderBytes),
		Protocols:                    protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          s.limits.HTTP2Streams,
			MaxReceiveBufferPerStream:     h2StreamWindow,
			MaxReceiveBufferPerConnection: h2ConnWindow,
			MaxReadFrameSize:              h2FrameSize,
			MaxDecoderHeaderTableSize:     h2TableSize,
			MaxEncoderHeaderTableSize:     h2TableSize,
			SendPingTimeout:               h2PingAfter,
			PingTimeout:                   h2PingTimeout,
			// No WriteByteTimeout: it takes a full kernel buffer for a visitor that
			// takes nothing. The connection's own watch asks the kernel instead.
			CountError: f.metrics.http2Error,
		},
		ErrorLog: newErrorLog(f.log, f.metrics),
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if v := visitorOfConn(nc); v != nil {
				return context.WithValue(ctx, visitorKey{}, v)
			}
			return ctx
		},
		// The authority has seen the certificate; it wants nothing more.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){
			"acme-tls/1": func(_ *http.Server, c *tls.Conn, _ http.Handler) { c.Close() },
		},
	}
	g.lane = &lane.Lane{
		Handler: f.root, HeaderTimeout: g.server.ReadHeaderTimeout, IdleTimeout: g.server.IdleTimeout,
		HeadBytes: g.server.MaxHeaderBytes, Panicked: f.panicked,
	}
	if s.tls != nil {
		g.prepareHTTP3()
	}
	return g
}

// visitorOfConn finds our connection under what the http.Server serves.
func visitorOfConn(nc net.Conn) *visitor {
	if c, ok := nc.(*conn); ok { // it has a NetConn too
		return &c.visitor
	}
	if over, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = over.NetConn()
	}
	if c, ok := nc.(*conn); ok {
		return &c.visitor
	}
	return nil
}

// start serves what deliver brings.
func (g *generation) start() {
	g.started = true
	go func() {
		defer close(g.done)
		// Only Shutdown and Close end it; their callers hear of errors.
		_ = g.server.Serve(g.handoff)
	}()
}

// discard ends a generation that was prepared and never started.
func (g *generation) discard() {
	if !g.started {
		g.handoff.Close()
	}
}

// join and quit count the generation's connections; the last one of a retired
// generation ends its server.
func (g *generation) join() { g.open.Add(1) }

func (g *generation) quit() {
	if g.open.Add(-1) == 0 && g.retired.Load() {
		g.handoff.Close()
	}
}

// retire ends the server as soon as no connection is left. One that is being
// delivered right now finds the handoff closed and goes to the next generation.
func (g *generation) retire() {
	g.retired.Store(true)
	if g.open.Load() == 0 {
		g.handoff.Close()
	}
}

// ended reports whether nothing of a retired generation is left.
func (g *generation) ended() bool {
	return g.retired.Load() && g.open.Load() == 0
}

// serveConn serves c.
func (g *generation) serveConn(c *conn) {
	if c.secure {
		go g.serveTLS(c)
		return
	}
	go g.serveLane(c, c)
}

// serveTLS does the handshake that net/http would do, in order to see which
// protocol was agreed on: HTTP/1.1 begins on the fast lane.
func (g *generation) serveTLS(c *conn) {
	defer func() {
		if v := recover(); v != nil { // of a certificate's source, most likely
			g.front.panicked(v)
			c.Close()
		}
	}()
	c.shaking.Store(true)
	defer c.shaking.Store(false)
	secure := tls.Server(c, g.settings.tls)
	limit := time.Time{}
	if d := g.server.ReadHeaderTimeout; d > 0 {
		limit = time.Now().Add(d)
	}
	// Errors say that the connection is closed; the handshake will say so too.
	_ = c.SetDeadline(limit)
	if err := secure.HandshakeContext(context.Background()); err != nil {
		g.server.ErrorLog.Printf("http: TLS handshake error from %s: %v", c.RemoteAddr(), err)
		c.sayPlainly(err)
		c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	state := secure.ConnectionState()
	switch state.NegotiatedProtocol {
	case "", "http/1.1":
		c.tls = &state
		g.serveLane(c, secure)
	default:
		g.deliver(c, secure)
	}
}

// serveLane serves c on the fast lane, and gives it to net/http when a request
// comes that is none for the lane. nc is c, or TLS over it.
func (g *generation) serveLane(c *conn, nc net.Conn) {
	lc := &lane.Conn{
		Conn: nc, Socket: c.TCPConn, TLS: c.tls,
		Context: context.WithValue(context.Background(), visitorKey{}, &c.visitor),
	}
	c.lane.Store(lc)
	c.shaking.Store(false)
	rest, ok := g.lane.Serve(lc)
	c.lane.Store(nil)
	switch secure, isTLS := nc.(*tls.Conn); {
	case !ok:
	case isTLS:
		g.deliver(c, &secureRest{Conn: secure, beneath: c, ahead: rest})
	default:
		c.ahead = append(rest, c.ahead...)
		g.deliver(c, c)
	}
}

// deliver gives nc, which is c or stands over it, to net/http. A generation that
// was retired at the very moment in which c joined has ended; then c goes to the
// next one.
func (g *generation) deliver(c *conn, nc net.Conn) {
	for !g.handoff.deliver(nc) {
		g.quit()
		c.generation = nil
		if g = c.enroll(); g == nil {
			return
		}
	}
}
