package proxy

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

// An act is what a server does with a request that it has read. It says whether
// the connection stays open.
type act func(c *upstreamtest.Conn, r *upstreamtest.Received) (open bool)

// backend is a server that remembers its requests.
type backend struct {
	*upstreamtest.Server
	mu  sync.Mutex
	got []*upstreamtest.Received
}

// serve starts a server that does acts in turn, and the last one for ever.
func serve(tb testing.TB, acts ...act) *backend {
	b := new(backend)
	b.Server = upstreamtest.Serve(tb, func(c *upstreamtest.Conn) {
		for {
			r := c.Request()
			if r == nil {
				return
			}
			b.mu.Lock()
			b.got = append(b.got, r)
			a := acts[min(len(b.got), len(acts))-1]
			b.mu.Unlock()
			if !a(c, r) {
				return
			}
		}
	})
	return b
}

// requests are those read so far.
func (b *backend) requests() []*upstreamtest.Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// answers is an act that answers with a status, a body, and fields "Name: value".
func answers(status int, body string, fields ...string) act {
	return func(c *upstreamtest.Conn, r *upstreamtest.Received) bool {
		var b bytes.Buffer
		fmt.Fprintf(&b, "HTTP/1.1 %d Status\r\nContent-Length: %d\r\n", status, len(body))
		for _, f := range fields {
			b.WriteString(f + "\r\n")
		}
		b.WriteString("\r\n")
		if r.Method != http.MethodHead {
			b.WriteString(body)
		}
		c.Say(b.String())
		return true
	}
}

// says is an act that says the text and closes.
func says(text string) act {
	return func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
		c.Say(text)
		return false
	}
}

func ok(body string) act { return answers(200, body) }

// resets is an act that closes the connection with RST.
func resets(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
	c.Reset()
	return false
}

// hangs is an act that answers nothing until the other end goes.
func hangs(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
	c.Gone()
	return false
}

// refused is an address where nobody listens.
func refused(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_ = ln.Close()
	return ln.Addr().String()
}
