package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	expectWait   = time.Second           // how long a body waits for 100 (Continue)
	interimMax   = 5                     // interim responses before the final one
	smallBody    = 64 << 10              // bodies up to this go out in one write with the head
	writeLag     = 50 * time.Millisecond // for a writer whose last write just ended
	pausedRecord = 50 * time.Millisecond // how often a standing clock is looked at
	surelyTaken  = 8 << 10               // bytes that the kernel takes from us without waiting for the server
	firstLook    = 40 * time.Millisecond // how long a response is waited for without a hand on the context
)

// What may be wrong with a response. They are wrapped in an *upstream.Error
// with Outcome BadResponse.
var (
	ErrMalformed      = errors.New("malformed response")
	ErrHeaderTooLarge = errors.New("response header too large")
	ErrTooManyFields  = errors.New("too many response header fields")
	ErrTooManyInterim = errors.New("too many interim responses")
	ErrUnasked        = errors.New("101 (Switching Protocols) was not asked for")
)

// errClosed is what the body of a closed Response answers.
var errClosed = errors.New("response is closed")

// Options are the settings of one server's Transport. Zero values of the sizes
// mean the defaults of the configuration (64 KiB, 200 fields).
type Options struct {
	Network string      // "tcp" or "unix"; "" is "tcp"
	Address string      // "host:port", or the socket's path
	TLS     *tls.Config // nil: plain. ServerName is filled from Address if empty

	DialTimeout time.Duration // to connect, TLS included; 0: only the attempt's time
	MaxOpen     int           // open connections; 0: unlimited
	MaxIdle     int           // idle connections kept; 0: none
	IdleTimeout time.Duration // idle time after which a connection is closed; 0: never
	MaxAge      time.Duration // age after which a connection is not used again; 0: never
	ProbeAfter  time.Duration // idle time after which a connection is tested before use

	ResponseHeaderBytes  int64 // bytes of one response head, status line included
	ResponseHeaderFields int   // fields of one response head
}

// Transport is an upstream.Transport for one server that speaks HTTP/1.1. It
// never repeats a request by itself.
type Transport struct {
	o     Options
	pool  pool
	dials atomic.Uint64

	largeInUse atomic.Int64 // large pieces of bodies
}

var _ upstream.Transport = (*Transport)(nil)

// New returns a Transport without connections. Close it when it is no longer used.
func New(o Options) *Transport {
	if o.Network == "" {
		o.Network = "tcp"
	}
	if o.ResponseHeaderBytes <= 0 {
		o.ResponseHeaderBytes = 64 << 10
	}
	if o.ResponseHeaderFields <= 0 {
		o.ResponseHeaderFields = 200
	}
	if o.TLS != nil {
		o.TLS = o.TLS.Clone()
		if o.TLS.ServerName == "" {
			if host, _, err := net.SplitHostPort(o.Address); err == nil {
				o.TLS.ServerName = host
			}
		}
		if o.TLS.ClientSessionCache == nil {
			o.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		}
	}
	t := &Transport{o: o}
	t.pool.init(o)
	return t
}

// RoundTrip implements upstream.Transport.
func (t *Transport) RoundTrip(ctx context.Context, req *upstream.Request) (*upstream.Response, error) {
	out := outbox.Get().(*output)
	defer out.free()
	stream, err := out.compose(req)
	if err != nil {
		return nil, &upstream.Error{Class: exchange.NotConnected, Outcome: exchange.Canceled, Op: "write request", Err: err}
	}

	now := time.Now()
	var limit time.Time
	if req.Timeout > 0 {
		limit = now.Add(req.Timeout)
	}
	c, err := t.acquire(ctx, now, limit, req.Fresh)
	if err != nil {
		return nil, err
	}
	a := &reply{t: t, c: c, ctx: ctx, head: req.Method == "HEAD", upgrade: req.Upgrade != ""}
	base, _ := ctx.Deadline()
	a.unwatched = true // asking for ctx.Done now might be what we want to save
	if stream || len(out.b) > surelyTaken {
		a.watch()
	}
	// Most responses come soon. Only an attempt that has to wait follows the
	// context, which costs three allocations and a lock that all streams of an
	// HTTP/2 visitor share.
	c.arm(now, base, limit, a.unwatched)

	if err := a.send(out, req, stream); err != nil {
		return nil, err
	}
	if err := a.receive(req); err != nil {
		return nil, err
	}
	return &a.Response, nil
}

// send writes the head, and the whole request unless its body is streamed. For
// a streamed body it starts the writer, at once or, with Expect, not before
// receive saw that the server wants it.
func (a *reply) send(out *output, req *upstream.Request, stream bool) error {
	n, err := 0, error(nil)
	if a.c.turn != nil && !stream && len(out.b) <= surelyTaken {
		in := a.c.in
		var read int
		n, read, a.first = a.c.turn.do(out.b, in.buf[in.w:])
		in.w += read
	}
	if n < len(out.b) {
		var more int
		more, err = a.c.Conn.Write(out.b[n:])
		n += more
	}
	switch {
	case err == nil:
		a.sent = exchange.FullySent
	case n == 0:
		a.sent = exchange.NotSent
		return a.fail("write request", err)
	default:
		// The server may have answered and closed without reading the rest.
		a.sent = exchange.PartlySent
		if isTimeout(err) {
			return a.fail("write request", err)
		}
		a.broken = err
		return nil
	}
	if stream {
		a.sent = exchange.PartlySent
		a.up = &upload{c: a.c, req: req, done: make(chan struct{})}
		if !req.Expect {
			a.up.start()
		}
	}
	return nil
}

// receive reads heads up to the final one and prepares the body.
func (a *reply) receive(req *upstream.Request) error {
	c := a.c
	var h head
	for interim := 0; ; interim++ {
		if err := a.readHead(&h); err != nil {
			op := "read response"
			if a.broken != nil && !a.answered() {
				op, err = "write request", a.broken
			}
			return a.fail(op, err)
		}
		if h.status >= 200 {
			break
		}
		if h.status == 101 {
			return a.switchProtocols(&h)
		}
		if interim == interimMax {
			return a.fail("read response", ErrTooManyInterim)
		}
		if req.Interim != nil {
			req.Interim(h.status, h.fields)
		}
		if h.status == 100 && a.up != nil && !a.up.started {
			c.setRead(c.headLimit(time.Time{}))
			a.up.start()
		}
	}
	a.accept(&h)
	if !a.buffered() || a.up != nil {
		a.watch()
		c.headDone()
	}
	return nil
}

// Probe implements upstream.Transport.
func (t *Transport) Probe(ctx context.Context) error {
	t.pool.reserve()
	c, err := t.dial(ctx, time.Time{})
	if err != nil {
		t.pool.forget()
		return err
	}
	t.pool.put(c)
	return nil
}

// Stats implements upstream.Transport.
func (t *Transport) Stats() upstream.Stats {
	open, idle := t.pool.size()
	return upstream.Stats{Open: open, Idle: idle, Dials: t.dials.Load()}
}

// Close implements upstream.Transport. An attempt that comes later, from a visit
// to a retired origin, still works; its connection is not kept.
func (t *Transport) Close() { t.pool.close() }

// acquire gives a pooled connection that is believed to be alive, or a new one.
// Errors are *upstream.Error.
func (t *Transport) acquire(ctx context.Context, now, limit time.Time, fresh bool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, connectError(ctx, exchange.NotConnected, "wait for a connection", err)
	}
	for {
		c, err := t.pool.get(ctx, limit)
		if err != nil {
			return nil, connectError(ctx, exchange.NotConnected, "wait for a connection", err)
		}
		if c == nil {
			c, err = t.dial(ctx, limit)
			if err != nil {
				t.pool.forget()
				return nil, err
			}
			c.in = inboxes.Get().(*inbox)
			return c, nil
		}
		if t.pool.usable(c, now, fresh) {
			c.reused = true
			c.in = inboxes.Get().(*inbox)
			return c, nil
		}
		t.discard(c)
	}
}

// discard closes c, which nobody uses any longer.
func (t *Transport) discard(c *conn) {
	c.close()
	t.pool.forget()
}

// dial makes a connection within the dial time-out, limit (if not zero) and ctx.
// Errors are *upstream.Error.
func (t *Transport) dial(ctx context.Context, limit time.Time) (*conn, error) {
	deadline := limit
	if t.o.DialTimeout > 0 {
		deadline = earliest(deadline, time.Now().Add(t.o.DialTimeout))
	}
	dialCtx := ctx
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		dialCtx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	nc, err := new(net.Dialer).DialContext(dialCtx, t.o.Network, t.o.Address)
	if err != nil {
		return nil, dialError(ctx, limit, exchange.NotConnected, "dial", err)
	}
	t.dials.Add(1)
	c := &conn{Conn: nc, socket: nc, born: time.Now()}
	c.bind()
	if t.o.TLS != nil {
		tc := tls.Client(nc, t.o.TLS)
		if err := tc.HandshakeContext(dialCtx); err != nil {
			_ = nc.Close()
			return nil, dialError(ctx, limit, exchange.NotSent, "handshake", err)
		}
		c.Conn, c.turn = tc, nil
	}
	return c, nil
}

// outbox holds buffers for requests.
var outbox = sync.Pool{New: func() any { return &output{b: make([]byte, 0, 2048)} }}
