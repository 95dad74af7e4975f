package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	udpBuffer = 7_500_000 // bytes; what quic-go asks for, so that bursts are not lost
	altSvcAge = 86_400    // seconds; RFC 7838 section 3.1: its default
)

// prepareHTTP3 makes the HTTP/3 side of a generation with TLS.
func (g *generation) prepareHTTP3() {
	g.h3TLS = http3.ConfigureTLSConfig(g.settings.tls.Clone())
	g.h3TLS.MinVersion = tls.VersionTLS13
}

// newHTTP3 returns the server of one QUIC connection. Each has its own, because
// http3 asks visitors to go (RFC 9114 section 5.2) only when their server ends.
func (g *generation) newHTTP3() *http3.Server {
	return &http3.Server{
		Handler:        g.front.root,
		MaxHeaderBytes: int(g.settings.limits.HeaderBytes),
		IdleTimeout:    g.settings.limits.IdleTimeout.D(),
		Logger:         g.front.log,
		ConnContext: func(ctx context.Context, qc *quic.Conn) context.Context {
			if v := g.front.quicVisitorOf(qc); v != nil {
				return context.WithValue(ctx, visitorKey{}, &v.visitor)
			}
			return ctx
		},
	}
}

// quicConfig is what QUIC connections of this generation live by: the windows of
// HTTP/2, and no 0-RTT, which could be replayed.
func (g *generation) quicConfig() *quic.Config {
	l := g.settings.limits
	return &quic.Config{
		HandshakeIdleTimeout:           l.HeaderTimeout.D(),
		MaxIdleTimeout:                 l.IdleTimeout.D(),
		InitialStreamReceiveWindow:     h2StreamWindow,
		MaxStreamReceiveWindow:         h2StreamWindow,
		InitialConnectionReceiveWindow: h2ConnWindow,
		MaxConnectionReceiveWindow:     h2ConnWindow,
		MaxIncomingStreams:             int64(l.HTTP2Streams),
	}
}

// udpSocket is the UDP side of a socket.
type udpSocket struct {
	front     *Front
	conn      *net.UDPConn
	transport *quic.Transport
	listener  *quic.Listener
	altSvc    []string
	ctx       context.Context
	cancel    context.CancelFunc
	done      chan struct{}
	serveOnce sync.Once
}

// newUDPSocket opens UDP on the address of s.
func newUDPSocket(f *Front, s *socket) (*udpSocket, error) {
	at := s.listener.Addr().(*net.TCPAddr)
	network := "udp"
	if at.IP.To4() != nil {
		network = "udp4"
	}
	pc, err := net.ListenUDP(network, &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
	if err != nil {
		return nil, err
	}
	// The kernel may grant less, without an error; quic-go says so in its own log.
	if err := errors.Join(pc.SetReadBuffer(udpBuffer), pc.SetWriteBuffer(udpBuffer)); err != nil {
		f.log.Warn("UDP buffers for HTTP/3", "address", at.String(), "error", err)
	}
	u := &udpSocket{front: f, conn: pc, transport: &quic.Transport{Conn: pc}, done: make(chan struct{})}
	u.altSvc = []string{`h3=":` + strconv.Itoa(at.Port) + `"; ma=` + strconv.Itoa(altSvcAge)}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	u.listener, err = u.transport.Listen(
		&tls.Config{
			MinVersion: tls.VersionTLS13,
			NextProtos: []string{http3.NextProtoH3},
			GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				conf := f.current.Load().h3TLS
				if conf == nil {
					return nil, errors.New("HTTP/3 has been switched off")
				}
				if conf.GetConfigForClient != nil {
					if special, err := conf.GetConfigForClient(hello); special != nil || err != nil {
						return special, err
					}
				}
				return conf, nil
			},
		},
		&quic.Config{GetConfigForClient: func(*quic.ClientInfo) (*quic.Config, error) {
			return f.current.Load().quicConfig(), nil
		}},
	)
	if err != nil {
		u.cancel()
		pc.Close()
		return nil, fmt.Errorf("start QUIC: %w", err)
	}
	return u, nil
}

// attachUDP gives s its UDP side, or takes it away: visitors are no longer told
// of HTTP/3, and those who use it are asked to go.
func (s *socket) attachUDP(u *udpSocket) {
	if s.udp == u {
		return
	}
	if old := s.udp; old != nil {
		s.altSvc.Store(nil)
		go old.drain(s.front.drainTime())
	}
	if s.udp = u; u == nil {
		return
	}
	s.altSvc.Store(&u.altSvc)
	u.serveOnce.Do(func() { go u.accept(s) })
}

// drainTime is how long the visitors of a removed UDP socket may go on.
func (f *Front) drainTime() time.Duration {
	return f.current.Load().settings.limits.IdleTimeout.D()
}

// accept takes QUIC connections until the listener is closed.
func (u *udpSocket) accept(s *socket) {
	defer close(u.done)
	for {
		qc, err := u.listener.Accept(u.ctx)
		if err != nil {
			return
		}
		u.welcome(qc, s)
	}
}

// welcome counts a QUIC connection and has it served. It cannot be left in the
// kernel's queue as TCP's can, so above the total it is refused.
func (u *udpSocket) welcome(qc *quic.Conn, s *socket) {
	f := u.front
	f.metrics.accepted["http3"].Inc()
	g := f.current.Load()
	v := newQUICVisitor(f, g, s, u, qc)
	if why := v.enter(); why != "" {
		f.metrics.refused.WithLabelValues(why).Inc()
		closeQUIC(qc, http3.ErrCodeExcessiveLoad)
		return
	}
	go func() {
		// Its end is the visitor's or ours; either is ordinary.
		_ = v.server.ServeQUICConn(qc)
		closeQUIC(qc, http3.ErrCodeNoError) // where the server returned first: it drains
		v.exit()
	}()
}

// closeQUIC closes qc. An error means that it is closed already.
func closeQUIC(qc *quic.Conn, code http3.ErrCode) {
	_ = qc.CloseWithError(quic.ApplicationErrorCode(code), "")
}

// drain takes no more connections, asks those there to go, waits for their
// requests, and closes the socket.
func (u *udpSocket) drain(longest time.Duration) {
	// Its error is that of a second close.
	_ = u.listener.Close()
	u.cancel()
	<-u.done
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	u.front.part(longest, func(v *quicVisitor) bool { return v.udp == u })
	u.front.waitForQUIC(ctx, u)
	u.close()
}

// close ends the socket and every connection on it at once.
func (u *udpSocket) close() {
	u.cancel()
	// Errors are those of a second close.
	_ = errors.Join(u.listener.Close(), u.transport.Close(), u.conn.Close())
}

// quicVisitor is the visitor at the other end of a QUIC connection.
type quicVisitor struct {
	visitor
	conn    *quic.Conn
	server  *http3.Server // its own
	udp     *udpSocket
	address netip.Addr
	counted bool // in the census
}

func newQUICVisitor(f *Front, g *generation, s *socket, u *udpSocket, qc *quic.Conn) *quicVisitor {
	v := &quicVisitor{conn: qc, server: g.newHTTP3(), udp: u, address: addressOf(qc.RemoteAddr())}
	v.front, v.generation, v.socket = f, g, s
	v.setLimits(g.settings.limits.Response)
	v.end = func(why string) {
		f.metrics.aborted.WithLabelValues(why).Inc()
		closeQUIC(qc, http3.ErrCodeExcessiveLoad)
	}
	// QUIC's buffers are ours: what a stream could not send holds up its writer,
	// which the watch over streams sees.
	v.sample = func() (uint64, bool) { return 0, false }
	return v
}

// part asks the visitor to go when its requests have been answered, and waits for
// that. When ctx ends, the connection does.
func (v *quicVisitor) part(ctx context.Context) {
	// Its error says that ctx ended.
	_ = v.server.Shutdown(ctx)
}

// part asks those to go for whom which holds, in the background. They have until
// longest is over.
func (f *Front) part(longest time.Duration, which func(*quicVisitor) bool) {
	for _, v := range f.quicVisitors(which) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), longest)
			defer cancel()
			v.part(ctx)
		}()
	}
}

// everyQUIC is for quicVisitors.
func everyQUIC(*quicVisitor) bool { return true }

// quicVisitors returns the open QUIC connections for which which holds.
func (f *Front) quicVisitors(which func(*quicVisitor) bool) []*quicVisitor {
	f.live.Lock()
	defer f.live.Unlock()
	var all []*quicVisitor
	for _, v := range f.quics {
		if which(v) {
			all = append(all, v)
		}
	}
	return all
}

// enter counts the connection, or says which limit it would break.
func (v *quicVisitor) enter() (why string) {
	f, g := v.front, v.generation
	if g.h3TLS == nil {
		return "off"
	}
	if !f.gate.tryEnter() {
		return "total"
	}
	if !within(g.settings.exempt, v.address) {
		if !f.census.enter(v.address, g.settings.limits.ConnectionsPerIP) {
			f.gate.exit()
			return "per_ip"
		}
		v.counted = true
	}
	g.join()
	f.live.Lock()
	f.quics[v.conn] = v
	f.live.Unlock()
	return ""
}

// exit ends what enter began.
func (v *quicVisitor) exit() {
	f := v.front
	v.over.Store(true)
	f.live.Lock()
	delete(f.quics, v.conn)
	f.live.Unlock()
	if v.counted {
		f.census.exit(v.address)
	}
	f.gate.exit()
	v.generation.quit()
}

// quicVisitorOf finds the visitor of qc.
func (f *Front) quicVisitorOf(qc *quic.Conn) *quicVisitor {
	f.live.Lock()
	defer f.live.Unlock()
	return f.quics[qc]
}

// waitForQUIC waits until no connection of u is left, or ctx ends.
func (f *Front) waitForQUIC(ctx context.Context, u *udpSocket) {
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	for len(f.quicVisitors(func(v *quicVisitor) bool { return v.udp == u })) > 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}
