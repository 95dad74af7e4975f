package front

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/evergate/evergate/internal/edge/gateway/front/lane"
)

// ErrSlowReader is the error of writes to a visitor whose connection was ended
// because it took too little for too long.
var ErrSlowReader error = slowReader{}

type slowReader struct{}

func (slowReader) Error() string { return "visitor reads too slowly" }

// AbortReason is the word for the access log.
func (slowReader) AbortReason() string { return "slow_reader" }

const copySize = 32 << 10 // as io.Copy's

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copySize); return &b }}

// conn is a visitor's TCP connection. It sets no write deadlines, which would
// either cut honest visitors or cost a system call for each write: it tells its
// visitor's watch that something is being written, and the watch asks the kernel
// how much of it arrived. Deadlines set by others pass through.
type conn struct {
	*net.TCPConn
	visitor

	address  netip.Addr // of the visitor: what the PROXY header says, else the peer
	secure   bool
	counted  bool                      // in the census
	ahead    []byte                    // read behind a PROXY header, not yet given to Read
	remote   net.Addr                  // nil: the TCP connection's own
	local    net.Addr                  // likewise
	lane     atomic.Pointer[lane.Conn] // nil: the connection is net/http's
	shaking  atomic.Bool               // its TLS handshake is under way
	tooSlow  atomic.Bool
	released sync.Once
}

// Read returns what came behind a PROXY header first.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(b, c.ahead)
		if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
			c.ahead = nil
		}
		return n, nil
	}
	return c.TCPConn.Read(b)
}

// WriteTo lets a tunnel move bytes towards a server inside the kernel.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	var first int64
	if len(c.ahead) > 0 {
		n, err := w.Write(c.ahead)
		c.ahead = nil
		if first = int64(n); err != nil {
			return first, err
		}
	}
	n, err := c.TCPConn.WriteTo(w)
	return first + n, err
}

// Write sends b. It waits as long as the visitor takes something now and then;
// its error is ErrSlowReader if the watch gave up.
func (c *conn) Write(b []byte) (int, error) {
	if len(b) <= longestRefusal {
		c.noteRefusal(b)
	}
	c.beginWrite()
	n, err := c.TCPConn.Write(b)
	c.endWrite()
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// WriteBuffers is Write for several pieces in one system call.
func (c *conn) WriteBuffers(b *net.Buffers) (int64, error) {
	c.beginWrite()
	n, err := b.WriteTo(c.TCPConn)
	c.endWrite()
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// ReadFrom sends what r has, by sendfile or splice where r is a file or a socket.
func (c *conn) ReadFrom(r io.Reader) (n int64, err error) {
	if !direct(r) {
		buffer := copyBuffers.Get().(*[]byte)
		n, err = io.CopyBuffer(justWriter{c}, justReader{r}, *buffer)
		copyBuffers.Put(buffer)
		return n, err
	}
	c.beginWrite()
	n, err = c.TCPConn.ReadFrom(r)
	c.endWrite()
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// direct reports whether the kernel can move bytes from r by itself.
func direct(r io.Reader) bool {
	if l, ok := r.(*io.LimitedReader); ok {
		r = l.R
	}
	switch r.(type) {
	case *net.TCPConn, *net.UnixConn, *os.File:
		return true
	}
	return false
}

// justWriter and justReader hide ReadFrom and WriteTo from io.CopyBuffer.
type (
	justWriter struct{ io.Writer }
	justReader struct{ io.Reader }
)

// explain names the watch as the reason of an error that it caused.
func (c *conn) explain(err error) error {
	if c.tooSlow.Load() && errors.Is(err, net.ErrClosed) {
		return ErrSlowReader
	}
	return err
}

// RemoteAddr is the visitor's address, by PROXY header where one was believed.
func (c *conn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.TCPConn.RemoteAddr()
}

// LocalAddr is where the visitor wanted to go, by PROXY header likewise.
func (c *conn) LocalAddr() net.Addr {
	if c.local != nil {
		return c.local
	}
	return c.TCPConn.LocalAddr()
}

// NetConn returns the TCP connection beneath.
func (c *conn) NetConn() net.Conn { return c.TCPConn }

// Close closes the connection and frees its place.
func (c *conn) Close() error {
	c.over.Store(true)
	err := c.TCPConn.Close()
	c.released.Do(c.release)
	return err
}

// abort closes the connection without sending what the kernel still holds.
func (c *conn) abort(why string) {
	c.tooSlow.Store(why == "stalled" || why == "slow_reader")
	c.front.metrics.aborted.WithLabelValues(why).Inc()
	// The reset frees the kernel's buffer, which a close would keep for a visitor
	// that never reads it. If it cannot be set, a plain close must do.
	_ = c.SetLinger(0)
	_ = c.Close()
}

// release gives back what the connection was counted in.
func (c *conn) release() {
	f := c.front
	f.forget(c)
	if c.counted {
		f.census.exit(c.address)
	}
	f.gate.exit()
	if c.generation != nil {
		c.generation.quit()
	}
}
