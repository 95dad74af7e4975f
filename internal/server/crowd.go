package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// crowd bounds the connections of a listener. When one more comes, the one goes that
// has waited longest without a request in its handler: idle, halfway through its
// head, or slow to go. So who opens many and sends little cannot lock out who comes
// with a request. When all are at work, the new one goes. Safe for concurrent use.
type crowd struct {
	most int

	mu      sync.Mutex // guards the fields below, and those of the guests
	guests  map[net.Conn]*guest
	waiting *list.List // of *guest, who has waited longest is first
}

// guest is one connection.
type guest struct {
	conn    net.Conn
	waiting *list.Element // nil while a request of it is in its handler
}

type guestKey struct{}

func newCrowd(most int) *crowd {
	return &crowd{most: most, guests: make(map[net.Conn]*guest), waiting: list.New()}
}

// come takes in a new connection. It is for an http.Server's ConnContext.
func (c *crowd) come(ctx context.Context, conn net.Conn) context.Context {
	g := &guest{conn: conn}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.guests) >= c.most {
		first := c.waiting.Front()
		if first == nil {
			cut(conn)
			return ctx
		}
		oldest := first.Value.(*guest) // nothing else is in it
		c.forget(oldest)
		cut(oldest.conn)
	}
	c.guests[conn] = g
	g.waiting = c.waiting.PushBack(g)
	return context.WithValue(ctx, guestKey{}, g)
}

// leave is for a connection that has been closed.
func (c *crowd) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.guests[conn]; g != nil {
		c.forget(g)
	}
}

// forget takes g out. The caller holds the lock.
func (c *crowd) forget(g *guest) {
	delete(c.guests, g.conn)
	if g.waiting != nil {
		c.waiting.Remove(g.waiting)
		g.waiting = nil
	}
}

// serve notes which connections have a request in next.
func (c *crowd) serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok {
			c.mu.Lock()
			if g.waiting != nil {
				c.waiting.Remove(g.waiting)
				g.waiting = nil
			}
			c.mu.Unlock()
			defer func() {
				c.mu.Lock()
				if c.guests[g.conn] == g {
					g.waiting = c.waiting.PushBack(g)
				}
				c.mu.Unlock()
			}()
		}
		next.ServeHTTP(w, r)
	})
}

// cut closes a connection without a word of TLS, which could wait for its peer.
func cut(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // whoever it is hears of it or not
}
