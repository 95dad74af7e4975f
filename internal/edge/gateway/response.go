package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/evergate/evergate/internal/edge/gateway/compress"
	"github.com/evergate/evergate/internal/exchange"
)

// response is the visitor's http.ResponseWriter as the steps see it, with what
// they know of the request. It records status and bytes, and completes the header
// when it goes out. One is taken from a pool per request; it belongs to the
// request's goroutine. http.ResponseController finds the writer beneath by Unwrap.
type response struct {
	out   http.ResponseWriter
	r     *http.Request // as the steps see it, with the exchange in its context
	x     *exchange.Exchange
	rt    *Runtime
	place *place // where the request belongs; nowhere until it was matched

	trusted  bool   // the peer is one of trusted_proxies
	chain    string // its X-Forwarded-For, "" if ours is the peer alone
	peerText string // the peer's address
	port     string // of the visitor's authority, "" without one
	odd      bool   // there are names with "_" or "."
	upgrade  string // the protocol that the visitor may change to, "" for none
	extended bool   // an extended CONNECT (RFC 8441)
	id       []string

	status     int // final status sent, 0: none yet
	bytes      int64
	failed     error // of the first write that failed
	hijacked   bool
	closing    bool // HTTP/1: no request may follow on this connection
	compressed bool // the place's policy may be asked
	accepts    compress.Visitor
	coder      *compress.Writer
	body       *body // nil: none, or not looked at
}

var responses = sync.Pool{New: func() any { return new(response) }}

// free gives w back. Nobody may use it afterwards.
func (w *response) free() {
	if w.coder != nil {
		w.coder.Free()
	}
	*w = response{}
	responses.Put(w)
}

// of returns the response that a step was handed.
func of(w http.ResponseWriter) *response { return w.(*response) }

// responseOf finds the response in a writer that may be wrapped; nil if the
// request is not within the gateway.
func responseOf(w http.ResponseWriter) *response {
	for {
		switch v := w.(type) {
		case *response:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}

// Unwrap gives http.ResponseController the writer beneath.
func (w *response) Unwrap() http.ResponseWriter { return w.out }

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.out.Header() }

// WriteHeader sends the header. Interim responses pass through as they are; of
// final ones only the first is sent.
func (w *response) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.out.WriteHeader(status)
		return
	}
	if w.status != 0 {
		return
	}
	w.status = status
	w.finishHeader(status)
	w.out.WriteHeader(status)
}

// finishHeader is what a response meets on its way back, before its first byte:
// the changes that the configuration asks for, compression of what they made, and
// at last what is ours to say.
func (w *response) finishHeader(status int) {
	h, p := w.out.Header(), w.place
	p.response[0].Apply(h)
	p.response[1].Apply(h)
	if w.compressed {
		if c := p.compress.Choose(w.accepts, status, h); c != compress.Identity && w.r.Method != http.MethodHead {
			w.coder = compress.NewWriter(w.out, c, isEventStream(h))
		}
	}
	if w.id != nil {
		h["X-Request-Id"] = w.id[:1:1]
	}
	if p.site != nil && p.site.hsts != nil && w.x.Scheme == "https" {
		h["Strict-Transport-Security"] = p.site.hsts
	}
	if w.r.ProtoMajor == 1 && (w.closing || w.unread()) {
		h["Connection"] = connectionClose
	}
}

// connectionClose is a shared value; nobody changes it.
var connectionClose = []string{"close"}[:1:1]

func isEventStream(h http.Header) bool {
	types := h["Content-Type"]
	return len(types) > 0 && strings.HasPrefix(types[0], "text/event-stream")
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.coder != nil {
		n, err = w.coder.Write(p)
	} else {
		n, err = w.out.Write(p)
		w.bytes += int64(n)
	}
	if err != nil {
		w.fail(err)
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom, so that files and sockets go out by sendfile
// and splice where nothing stands between.
func (w *response) ReadFrom(src io.Reader) (n int64, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if to, ok := w.out.(io.ReaderFrom); ok && w.coder == nil {
		n, err = to.ReadFrom(src)
		w.bytes += n
	} else {
		buffer := copyBuffers.Get().(*[copySize]byte)
		n, err = io.CopyBuffer(onlyWriter{w}, src, buffer[:])
		copyBuffers.Put(buffer)
	}
	if err != nil {
		w.fail(err)
	}
	return n, err
}

const copySize = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// onlyWriter hides ReadFrom from io.CopyBuffer.
type onlyWriter struct{ w io.Writer }

func (o onlyWriter) Write(p []byte) (int, error) { return o.w.Write(p) }

// Flush implements http.Flusher.
func (w *response) Flush() {
	_ = w.FlushError() // the next write meets the same error
}

// FlushError sends what is buffered, through the encoder where there is one.
func (w *response) FlushError() (err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.coder != nil {
		if err = w.coder.Flush(); err != nil {
			w.fail(err)
			return err
		}
	}
	if f, ok := w.out.(interface{ FlushError() error }); ok {
		err = f.FlushError()
	} else {
		err = http.NewResponseController(w.out).Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		w.fail(err)
	}
	return err
}

// Hijack hands the connection over, for an upgrade. The header is completed as
// for a response, because whoever hijacks sends it.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.out).Hijack()
	if err == nil {
		w.hijacked = true
		w.finishHeader(http.StatusSwitchingProtocols)
	}
	return conn, rw, err
}

// fail notes that the visitor could not be written to.
func (w *response) fail(err error) {
	if w.failed == nil && !errors.Is(err, http.ErrBodyNotAllowed) && !errors.Is(err, http.ErrContentLength) {
		w.failed = err
	}
}

// bytesOut is the number of body bytes that went to the visitor.
func (w *response) bytesOut() int64 {
	if w.coder != nil {
		return w.bytes + w.coder.Written()
	}
	return w.bytes
}
