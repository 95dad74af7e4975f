package lane

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// door is a lane under test with an http.Server behind it, as in package front.
type door struct {
	t       testing.TB
	lane    *Lane
	address string
	tls     *tls.Config // nil: plain

	mu     sync.Mutex
	conns  []*Conn // that came, in order
	rests  []string
	served sync.WaitGroup
}

// open returns a door for l that takes connections until the test ends.
func open(t testing.TB, l *Lane) *door { t.Helper(); return openSecure(t, l, nil) }

// openSecure is open over TLS; with conf nil it is open.
func openSecure(t testing.TB, l *Lane, conf *tls.Config) *door {
	t.Helper()
	if l.HeadBytes == 0 {
		l.HeadBytes = headMost
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, lane: l, address: listener.Addr().String(), tls: conf}
	behind := &queue{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: l.Handler, ReadHeaderTimeout: l.HeaderTimeout, IdleTimeout: l.IdleTimeout, ErrorLog: silent}
	go func() { _ = server.Serve(behind) }()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			d.served.Go(func() { d.serve(c.(*net.TCPConn), behind) })
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		d.mu.Lock()
		for _, c := range d.conns {
			_ = c.Conn.Close()
		}
		d.mu.Unlock()
		server.Close()
		d.served.Wait()
	})
	return d
}

func (d *door) serve(c *net.TCPConn, behind *queue) {
	lc := &Conn{Conn: c, Socket: c, Context: context.Background()}
	if d.tls != nil {
		secure := tls.Server(c, d.tls)
		if secure.Handshake() != nil {
			c.Close()
			return
		}
		state := secure.ConnectionState()
		lc.Conn, lc.TLS = secure, &state
	}
	d.mu.Lock()
	d.conns = append(d.conns, lc)
	d.mu.Unlock()
	rest, ok := d.lane.Serve(lc)
	if !ok {
		return
	}
	d.mu.Lock()
	d.rests = append(d.rests, string(rest))
	d.mu.Unlock()
	select {
	case behind.conns <- &begun{TCPConn: c, ahead: rest}:
	case <-behind.closed:
		c.Close()
	}
}

// conn returns the i-th connection that came, when it has come.
func (d *door) conn(i int) *Conn {
	d.t.Helper()
	var c *Conn
	eventually(d.t, "the connection has come", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if i < len(d.conns) {
			c = d.conns[i]
		}
		return c != nil
	})
	return c
}

// handedOver is what was read of the connections that net/http was given.
func (d *door) handedOver() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.rests...)
}

// begun is a connection of which something has been read.
type begun struct {
	*net.TCPConn
	ahead []byte
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	return b.TCPConn.Read(p)
}

// queue is a listener whose connections are brought to it.
type queue struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error   { q.once.Do(func() { close(q.closed) }); return nil }
func (q *queue) Addr() net.Addr { return new(net.TCPAddr) }

// wire is a raw connection of a visitor.
type wire struct {
	t testing.TB
	*net.TCPConn
	r *bufio.Reader
}

func dial(t testing.TB, address string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (d *door) dial() *wire { d.t.Helper(); return dial(d.t, d.address) }

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.TCPConn, text); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads one response whole; the method is that of its request.
func (w *wire) answer(method string) (*http.Response, string) {
	w.t.Helper()
	res, err := http.ReadResponse(w.r, &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("read the answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("read the body: %v", err)
	}
	return res, string(body)
}

// ended reports whether the other side has closed the connection, with nothing
// more to read.
func (w *wire) ended() bool {
	_, err := w.r.ReadByte()
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// eventually waits until ok holds: for what other goroutines do without an event.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

const getRoot = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Length"] = five
	_, _ = io.WriteString(w, "hello")
})

var five = []string{"5"}

// long is a string of n bytes.
func long(n int) string { return strings.Repeat("x", n) }
