package lane

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

// requestContext is the context of the request under way. It becomes a context
// that can end, and the visitor's leaving is looked for, only when somebody asks
// for Done: most requests are answered before anybody does.
type requestContext struct {
	context.Context // of the connection
	exchange.Slot   // saves a context and a copy of the Request per request
	s               *session

	now atomic.Pointer[live] // nil: nobody has asked; ended: between two requests

	mu sync.Mutex // guards the beginning of the watch
}

// live is a request's context that somebody waits on.
type live struct {
	context.Context
	cancel  context.CancelFunc
	watched chan struct{} // closed when the watch has ended; nil: it has not begun
}

var _ context.Context = (*requestContext)(nil)

// ended is what a request's context becomes when its handler has returned.
// Whoever asks late must neither wait for ever nor begin a watch that would take
// the next request's bytes from the connection.
var ended = func() *live {
	l := new(live)
	l.Context, l.cancel = context.WithCancel(context.Background())
	l.cancel()
	return l
}()

func (c *requestContext) begin(s *session) {
	c.s, c.Context = s, s.conn.Context
	c.now.Store(ended)
}

// renew begins the context of the next request.
func (c *requestContext) renew() { c.now.Store(nil) }

func (c *requestContext) forget() { c.s, c.Context = nil, context.Background() }

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} {
	if l := c.now.Load(); l != nil {
		return l.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now.Load() == nil {
		l := new(live)
		l.Context, l.cancel = context.WithCancel(c.Context)
		switch {
		case !c.now.CompareAndSwap(nil, l): // the request has just ended
			l.cancel()
		case c.s.body.read():
			c.watch(l)
		}
		return l.Done()
	}
	return c.now.Load().Done()
}

// Err implements context.Context.
func (c *requestContext) Err() error {
	if l := c.now.Load(); l != nil {
		return l.Err()
	}
	return c.Context.Err()
}

// Value implements context.Context. Contexts made of this one find by it, after
// Done, the one that they end with.
func (c *requestContext) Value(key any) any {
	if x := c.Carried(key); x != nil {
		return x
	}
	if l := c.now.Load(); l != nil {
		if v := l.Value(key); v != nil {
			return v
		}
	}
	return c.Context.Value(key)
}

// bodyRead is called with the last byte of the body: only then may the watch use
// the connection.
func (c *requestContext) bodyRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.now.Load(); l != nil && l != ended && l.watched == nil {
		c.watch(l)
	}
}

// watch ends l when the visitor leaves. The caller holds mu.
func (c *requestContext) watch(l *live) {
	raw := c.s.raw
	if raw == nil {
		return // it is closed: writing will tell
	}
	c.s.setDeadline(time.Time{})
	watched := make(chan struct{})
	l.watched = watched
	go func() {
		defer close(watched)
		left := false
		err := raw.Read(func(fd uintptr) bool { left = hasLeft(fd); return left })
		// Closed from our side (a drain, a slow reader) is left as well; a deadline is
		// the end of the request.
		if err == nil && left || errors.Is(err, net.ErrClosed) {
			l.cancel()
		}
	}()
}

// end ends the request: its context, and the watch.
func (c *requestContext) end() {
	c.Carry(nil)
	l := c.now.Swap(ended)
	if l == nil || l == ended {
		return
	}
	c.mu.Lock() // a watch that is just beginning has begun then
	watched := l.watched
	c.mu.Unlock()
	l.cancel()
	if watched != nil {
		c.s.setDeadline(past)
		<-watched
	}
}

// past is a deadline that is over.
var past = time.Unix(1, 0)
