package std

import (
	"bytes"
	"net"
	"strconv"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// tap listens to the heads of responses on an HTTP/1.1 connection, because
// net/http keeps two things to itself: which fields the Connection lines of a
// response name once one of them says "close", and that more came than the
// response's length.
//
// It also keeps net/http from giving up too early: see Write.
type tap struct {
	net.Conn
	most   int           // bytes of a head that are looked at
	closed chan struct{} // by Close
	once   sync.Once

	mu         sync.Mutex // guards the fields below
	bodiless   bool       // the request's method was HEAD
	listening  bool       // the head of the response has not ended
	head       []byte
	connection []string // values of the Connection lines, in order
	left       int64    // bytes of the response still to come; -1: unknown
	excess     bool     // something came that nobody had asked for
}

// newTap returns a tap on c for heads of up to most bytes.
func newTap(c net.Conn, most int) *tap {
	return &tap{Conn: c, most: most, closed: make(chan struct{})}
}

// begin makes the next bytes a response to method. It reports false if
// something has come already: the connection cannot be trusted.
func (t *tap) begin(method string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bodiless, t.listening = method == "HEAD", true
	t.head, t.connection, t.left = t.head[:0], nil, 0
	return !t.excess
}

// named are the values of the Connection lines of the last response.
func (t *tap) named() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.connection
}

// Read implements io.Reader.
func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hear(p[:n])
	return n, err
}

// Write implements io.Writer. It keeps an error back until the connection is
// closed: a server may answer an upload, stop reading and close, and net/http
// drops the answer if it hears of the write first. A connection that cannot be
// written to is dead, so reading it ends soon, and then net/http closes it.
func (t *tap) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	if err != nil {
		<-t.closed
	}
	return n, err
}

// Close implements io.Closer.
func (t *tap) Close() error {
	t.once.Do(func() { close(t.closed) })
	return t.Conn.Close()
}

// CloseWrite closes the direction to the server.
func (t *tap) CloseWrite() error {
	if cw, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return net.ErrClosed
}

// hear follows the response by b, its next bytes.
func (t *tap) hear(b []byte) {
	for t.listening && len(b) > 0 {
		size := len(t.head)
		t.head = append(t.head, b...)
		// The end may have begun in the bytes before.
		from := max(size-3, 0)
		end := headEnd(t.head[from:])
		if end < 0 {
			if len(t.head) > t.most { // net/http gives up too
				t.listening, t.left = false, -1
			}
			return
		}
		end += from
		b = b[end-size:]
		status := t.parse(t.head[:end])
		t.head = t.head[:0]
		t.listening = status >= 100 && status < 200 && status != 101
	}
	if len(b) == 0 || t.left < 0 {
		return
	}
	t.left -= int64(len(b))
	if t.left < 0 {
		t.left, t.excess = 0, true
	}
}

// headEnd is where the empty line in b ends, -1 if there is none.
func headEnd(b []byte) int {
	end := -1
	if i := bytes.Index(b, []byte("\n\r\n")); i >= 0 {
		end = i + 3
	}
	if i := bytes.Index(b, []byte("\n\n")); i >= 0 && (end < 0 || i+2 < end) {
		end = i + 2
	}
	return end
}

// parse takes what it needs out of a whole head and returns its status, 0 if
// there is none. What is wrong with the head is net/http's to say.
func (t *tap) parse(head []byte) (status int) {
	line, rest, _ := bytes.Cut(head, []byte("\n"))
	if len(line) >= 12 {
		status, _ = strconv.Atoi(string(line[9:12]))
	}
	t.connection, t.left = nil, -1
	chunked := false
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t\r")
		switch {
		case bytes.EqualFold(name, []byte("Connection")):
			if httpguts.ValidHeaderFieldValue(string(value)) {
				t.connection = append(t.connection, string(value))
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		case bytes.EqualFold(name, []byte("Content-Length")):
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && n >= 0 {
				t.left = n
			}
		}
	}
	switch {
	case status == 101:
		t.left = -1
	case t.bodiless, status < 200, status == 204, status == 304:
		t.left = 0
	case chunked:
		t.left = -1
	}
	return status
}
