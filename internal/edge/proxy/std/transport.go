package std

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	expectWait = time.Second // how long a body waits for 100 (Continue)
	interimMax = 5           // interim responses before the final one
	bufferSize = 32 << 10

	pingAfter    = 15 * time.Second // silence on an HTTP/2 connection before it is pinged
	pingTimeout  = 5 * time.Second  // then it is closed
	writeTimeout = 30 * time.Second // for one byte to be taken by an HTTP/2 server
	streamBuffer = 512 << 10        // of a response that its visitor does not read

	spareFor = 10 * time.Second // how long a probe's connection waits for a request
)

// ErrTooManyInterim and its kin are wrapped in an *upstream.Error with Outcome
// BadResponse.
var (
	ErrTooManyInterim = errors.New("too many interim responses")
	ErrTooManyFields  = errors.New("too many response header fields")
	ErrFieldName      = errors.New("response field name is no token")
	ErrStatus         = errors.New("status out of range")
	ErrUnasked        = errors.New("101 (Switching Protocols) was not asked for")
)

// The modes, as the configuration names them.
const (
	HTTP1 = "std" // HTTP/1.1
	H2    = "h2"  // HTTP/2 over TLS
	H2C   = "h2c" // HTTP/2 without TLS, with prior knowledge
)

// Options are the settings of one server's Transport.
type Options struct {
	Mode    string      // HTTP1, H2 or H2C; "" is HTTP1
	Network string      // "tcp" or "unix"; "" is "tcp"
	Address string      // "host:port", or the socket's path
	TLS     *tls.Config // nil: plain. ServerName is filled from Address if empty

	DialTimeout time.Duration // to connect, TLS included; 0: only the attempt's time
	MaxOpen     int           // open connections; 0: unlimited
	MaxIdle     int           // idle connections kept; 0: none
	IdleTimeout time.Duration // idle time after which a connection is closed; 0: never

	ResponseHeaderBytes  int64 // bytes of one response head; 0: 64 KiB
	ResponseHeaderFields int   // fields of one response head; 0: 200
}

// Transport is an upstream.Transport for one server.
type Transport struct {
	o      Options
	scheme string
	host   string // what net/http files connections under
	rt     *http.Transport
	fresh  *http.Transport // for requests that must not meet an idle-close race; nil: rt

	open   atomic.Int64
	busy   atomic.Int64 // attempts that have a connection
	dials  atomic.Uint64
	hidden atomic.Uint64

	mu    sync.Mutex
	spare *spare // made by Probe, for the next dial
}

// spare is a connection, TLS included, that no request has used.
type spare struct {
	conn  net.Conn
	since time.Time
}

var _ upstream.Transport = (*Transport)(nil)

// New returns a Transport without connections, or an error if o makes no sense.
func New(o Options) (*Transport, error) {
	if o.Mode == "" {
		o.Mode = HTTP1
	}
	if o.Network == "" {
		o.Network = "tcp"
	}
	if o.ResponseHeaderBytes <= 0 {
		o.ResponseHeaderBytes = 64 << 10
	}
	if o.ResponseHeaderFields <= 0 {
		o.ResponseHeaderFields = 200
	}
	t := &Transport{scheme: "http", host: o.Address}
	if o.Network == "unix" {
		t.host = "unix"
	}
	var protocols http.Protocols
	switch o.Mode {
	case HTTP1:
		protocols.SetHTTP1(true)
	case H2:
		if o.TLS == nil {
			return nil, fmt.Errorf("new %s transport for %s: HTTP/2 over TLS needs TLS settings", o.Mode, o.Address)
		}
		protocols.SetHTTP2(true)
	case H2C:
		if o.TLS != nil {
			return nil, fmt.Errorf("new %s transport for %s: it is without TLS", o.Mode, o.Address)
		}
		protocols.SetUnencryptedHTTP2(true)
	default:
		return nil, fmt.Errorf("new transport for %s: unknown mode %q", o.Address, o.Mode)
	}
	if o.TLS != nil {
		t.scheme = "https"
		o.TLS = o.TLS.Clone()
		if o.TLS.ServerName == "" {
			if host, _, err := net.SplitHostPort(o.Address); err == nil {
				o.TLS.ServerName = host
			}
		}
		if o.TLS.ClientSessionCache == nil {
			o.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		}
		o.TLS.NextProtos = slices.Clone(o.TLS.NextProtos)
		if o.Mode == H2 {
			o.TLS.NextProtos = []string{"h2"}
		}
	}
	t.o = o
	t.rt = &http.Transport{
		Protocols:              &protocols,
		DialContext:            t.dial,
		DialTLSContext:         t.dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    o.MaxIdle,
		MaxConnsPerHost:        o.MaxOpen,
		IdleConnTimeout:        o.IdleTimeout,
		ExpectContinueTimeout:  expectWait,
		MaxResponseHeaderBytes: o.ResponseHeaderBytes,
		ReadBufferSize:         bufferSize,
		WriteBufferSize:        bufferSize,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout:           pingAfter,
			PingTimeout:               pingTimeout,
			WriteByteTimeout:          writeTimeout,
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
	if o.MaxIdle == 0 {
		t.rt.MaxIdleConnsPerHost = -1 // 0 would be net/http's default of 2
	}
	if o.Mode == HTTP1 {
		// net/http lets nobody look at an idle connection before it is used again
		// (guide, section 3.1(11)). HTTP/2 says with GOAWAY what it has not processed.
		t.fresh = t.rt.Clone()
		t.fresh.DisableKeepAlives = true
	}
	return t, nil
}

// Probe implements upstream.Transport.
func (t *Transport) Probe(ctx context.Context) error {
	c, err := t.connect(ctx)
	if err != nil {
		return t.probeError(ctx, err)
	}
	t.keep(&spare{conn: c, since: time.Now()})
	return nil
}

func (t *Transport) probeError(ctx context.Context, err error) error {
	var e *upstream.Error
	if !errors.As(err, &e) {
		e = &upstream.Error{Class: exchange.NotConnected, Outcome: exchange.Connect, Op: "dial", Err: err}
	}
	if ctx.Err() != nil {
		e.Outcome = contextOutcome(ctx)
	}
	return e
}

// Stats implements upstream.Transport. Over HTTP/2 a connection is idle while
// no request uses any.
func (t *Transport) Stats() upstream.Stats {
	open, busy := t.open.Load(), t.busy.Load()
	idle := max(open-busy, 0)
	if t.o.Mode != HTTP1 && busy > 0 {
		idle = 0
	}
	return upstream.Stats{Open: int(open), Idle: int(idle), Dials: t.dials.Load(), Hidden: t.hidden.Load()}
}

// Close implements upstream.Transport.
func (t *Transport) Close() {
	t.keep(nil)
	t.rt.CloseIdleConnections()
}

// keep replaces the spare connection, and closes the one before.
func (t *Transport) keep(s *spare) {
	t.mu.Lock()
	old := t.spare
	t.spare = s
	t.mu.Unlock()
	if old != nil {
		_ = old.conn.Close()
	}
}

// take gives the spare connection away, nil if there is none young enough.
func (t *Transport) take() net.Conn {
	t.mu.Lock()
	s := t.spare
	t.spare = nil
	t.mu.Unlock()
	if s == nil {
		return nil
	}
	if time.Since(s.since) > spareFor {
		_ = s.conn.Close()
		return nil
	}
	return s.conn
}

// dial is what net/http calls for a connection.
func (t *Transport) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c := t.take()
	if c == nil {
		var err error
		if c, err = t.connect(ctx); err != nil {
			return nil, err
		}
	}
	if t.o.Mode != HTTP1 {
		return c, nil
	}
	return newTap(c, int(t.o.ResponseHeaderBytes)), nil
}

// connect opens a connection, TLS included. Errors are *upstream.Error.
func (t *Transport) connect(ctx context.Context) (net.Conn, error) {
	if t.o.DialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.o.DialTimeout)
		defer cancel()
	}
	nc, err := new(net.Dialer).DialContext(ctx, t.o.Network, t.o.Address)
	if err != nil {
		return nil, &upstream.Error{Class: exchange.NotConnected, Outcome: exchange.Connect, Op: "dial", Err: err}
	}
	t.dials.Add(1)
	t.open.Add(1)
	w := &wire{Conn: nc, t: t}
	if t.o.TLS == nil {
		return w, nil
	}
	tc := tls.Client(w, t.o.TLS)
	err = tc.HandshakeContext(ctx)
	if got := tc.ConnectionState().NegotiatedProtocol; err == nil && t.o.Mode == H2 && got != "h2" {
		err = fmt.Errorf("the server does not speak HTTP/2 (ALPN answered %q)", got)
	}
	if err != nil {
		_ = w.Close()
		return nil, &upstream.Error{Class: exchange.NotSent, Outcome: exchange.Connect, Op: "handshake", Err: err}
	}
	return tc, nil
}
