package lane

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/evergate/evergate/internal/httpfield"
)

// response is the http.ResponseWriter of a simple request. The header goes into
// the buffer with WriteHeader, so that what a handler changes afterwards has no
// effect, but for trailers.
type response struct {
	s      *session
	header http.Header
	out    []byte // header and body on their way
	head   bool   // the request is HEAD

	status   int   // final, 0: not yet
	length   int64 // of the body as declared, -1: chunked
	written  int64 // body bytes
	noBody   bool  // the status or the method allows none
	trailers []string
	closing  bool // no request may follow
	aborted  bool // it must not look whole
	timed    bool // a write deadline was set
	failed   error

	pieces  [2][]byte // of together
	buffers net.Buffers
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ http.Flusher        = (*response)(nil)
	_ io.ReaderFrom       = (*response)(nil)
)

func (w *response) begin(s *session, head bool) {
	w.reset()
	w.s, w.head = s, head
}

// headerMost is how many names a header may have had to be used again: clearing
// a map costs what its largest filling did.
const headerMost = 64

// reset forgets the response before.
func (w *response) reset() {
	if len(w.header) > headerMost {
		w.header = make(http.Header)
	}
	clear(w.header)
	*w = response{header: w.header, out: w.out[:0], trailers: w.trailers[:0], length: -1}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. A status of 100 to 199, but for
// 101, is sent at once with the header as it is, and the final one may follow.
func (w *response) WriteHeader(status int) {
	switch {
	case w.status != 0:
		return
	case status < 100 || status > 999:
		panic("lane: invalid status " + strconv.Itoa(status))
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.statusLine(status)
		w.fields(false)
		w.out = append(w.out, "\r\n"...)
		_ = w.flush() // whoever writes the answer hears of it
		return
	}
	w.status = status
	w.noBody = w.head || status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
	w.closing = status < 200 // nothing here speaks what he switches to
	w.statusLine(status)
	dated := w.fields(true)
	if !dated {
		w.out = append(w.out, "Date: "...)
		w.out = append(w.out, w.s.lane.dates.line(time.Now())...)
	}
	if w.length < 0 && !w.noBody {
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

func (w *response) statusLine(status int) {
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(w.out, ' ')
	if text := http.StatusText(status); text != "" {
		w.out = append(w.out, text...)
	} else {
		w.out = append(w.out, "status code "...)
		w.out = strconv.AppendInt(w.out, int64(status), 10)
	}
	w.out = append(w.out, "\r\n"...)
}

// fields appends the header, and reads from that of a final response what it
// says about the body and the connection.
func (w *response) fields(final bool) (dated bool) {
	_, dated = w.header["Date"] // without a value it says that there is to be none
	for name, values := range w.header {
		if len(values) == 0 {
			continue
		}
		switch name {
		case "Transfer-Encoding":
			continue // is ours
		case "Content-Length":
			if !final || !w.declare(values[0]) {
				continue
			}
			values = values[:1]
		case "Connection":
			if final && httpfield.HasToken(values, "close") {
				w.closing = true
			}
		case "Trailer":
			if final {
				w.announce(values)
			}
		}
		if strings.HasPrefix(name, http.TrailerPrefix) || !httpfield.IsToken(name) || framesInDisguise(name) {
			continue
		}
		for _, v := range values {
			w.field(name, v)
		}
	}
	return dated
}

// field appends one line. What would end it early is a space, as net/http has it.
func (w *response) field(name, value string) {
	w.out = append(w.out, name...)
	w.out = append(w.out, ": "...)
	at := len(w.out)
	w.out = append(w.out, value...)
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 {
		for i := at; i < len(w.out); i++ {
			if w.out[i] == '\n' || w.out[i] == '\r' {
				w.out[i] = ' '
			}
		}
	}
	w.out = append(w.out, "\r\n"...)
}

// declare takes a Content-Length, and reports whether it is to be sent.
func (w *response) declare(value string) bool {
	n, err := strconv.ParseUint(value, 10, 62)
	if err != nil || w.status < 200 || w.status == http.StatusNoContent {
		return false
	}
	w.length = int64(n)
	return true
}

// announce notes the trailers that come behind a chunked body.
func (w *response) announce(values []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); httpfield.IsToken(name) && httpguts.ValidTrailerHeader(name) && !slices.Contains(w.trailers, name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// framesInDisguise reports whether a name that is not canonical would frame the
// response a second time.
func framesInDisguise(name string) bool {
	switch len(name) {
	case len("Content-Length"):
		return name != "Content-Length" && strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// Write implements http.ResponseWriter. Errors: http.ErrBodyNotAllowed,
// http.ErrContentLength, and the connection's.
func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 || w.failed != nil {
		return 0, w.failed
	}
	if w.noBody {
		if w.head {
			return len(p), nil
		}
		return 0, http.ErrBodyNotAllowed
	}
	if w.length >= 0 {
		if w.written+int64(len(p)) > w.length {
			return 0, http.ErrContentLength
		}
		w.written += int64(len(p))
		if err := w.put(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	w.written += int64(len(p))
	w.out = strconv.AppendInt(w.out, int64(len(p)), 16)
	w.out = append(w.out, "\r\n"...)
	if err := w.put(p); err != nil {
		return 0, err
	}
	w.out = append(w.out, "\r\n"...)
	return len(p), nil
}

// put sends p, through the buffer where it fits.
func (w *response) put(p []byte) error {
	if len(w.out)+len(p) <= outSize {
		w.out = append(w.out, p...)
		return nil
	}
	if v, ok := w.s.conn.Conn.(buffersWriter); ok && len(w.out) > 0 && len(p) > outSize {
		return w.together(v, p)
	}
	if room := outSize - len(w.out); room > 0 && len(w.out) > 0 {
		w.out = append(w.out, p[:room]...)
		p = p[room:]
	}
	if err := w.flush(); err != nil {
		return err
	}
	if len(p) <= outSize/2 {
		w.out = append(w.out, p...)
		return nil
	}
	return w.send(p)
}

// ReadFrom implements io.ReaderFrom: what is declared and comes from a file or a
// socket goes out inside the kernel.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	to, ok := w.s.conn.Conn.(io.ReaderFrom)
	if !ok || w.noBody || w.length < 0 {
		return io.Copy(justWriter{w}, r)
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	limited, ok := r.(*io.LimitedReader)
	if !ok || limited.N > w.length-w.written { // the kernel's help is for one limit around a file, not two
		limited = &io.LimitedReader{R: r, N: w.length - w.written}
	}
	n, err := to.ReadFrom(limited)
	w.written += n
	if err != nil {
		return n, w.fail(err)
	}
	var more [1]byte
	if w.written == w.length {
		if extra, _ := io.ReadFull(r, more[:]); extra > 0 {
			return n, http.ErrContentLength
		}
	}
	return n, nil
}

// justWriter hides ReadFrom from io.Copy.
type justWriter struct{ io.Writer }

// Flush implements http.Flusher.
func (w *response) Flush() {
	_ = w.FlushError() // the next write meets the same error
}

// FlushError sends what is buffered.
func (w *response) FlushError() error {
	if w.status == 0 && len(w.out) == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.flush()
}

func (w *response) flush() error {
	if len(w.out) == 0 {
		return w.failed
	}
	err := w.send(w.out)
	w.out = w.out[:0]
	return err
}

// buffersWriter is a connection that sends several pieces in one system call.
type buffersWriter interface {
	WriteBuffers(b *net.Buffers) (int64, error)
}

// together sends what is buffered and p.
func (w *response) together(v buffersWriter, p []byte) error {
	if w.failed != nil {
		return w.failed
	}
	w.pieces = [2][]byte{w.out, p}
	w.buffers = w.pieces[:]
	_, err := v.WriteBuffers(&w.buffers)
	w.pieces, w.buffers, w.out = [2][]byte{}, nil, w.out[:0]
	if err != nil {
		return w.fail(err)
	}
	return nil
}

func (w *response) send(p []byte) error {
	if w.failed != nil {
		return w.failed
	}
	if _, err := w.s.conn.Write(p); err != nil {
		return w.fail(err)
	}
	return nil
}

func (w *response) fail(err error) error {
	if w.failed == nil {
		w.failed = err
	}
	return err
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	w.s.changed.Store(true)
	return w.s.conn.SetReadDeadline(t)
}

// SetWriteDeadline implements what http.ResponseController asks for.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.timed = true
	return w.s.conn.SetWriteDeadline(t)
}

// EnableFullDuplex has nothing to do: body and answer do not wait for each other.
func (w *response) EnableFullDuplex() error { return nil }

var errTooShort = errors.New("lane: response shorter than its Content-Length")

// finish completes the response when the handler has returned, and reports
// whether another one may follow on the connection.
func (w *response) finish() bool {
	if w.status == 0 {
		if _, ok := w.header["Content-Length"]; !ok && !w.head && !w.trails() {
			w.header["Content-Length"] = zero
		}
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.noBody:
	case w.length < 0:
		w.out = append(w.out, "0\r\n"...)
		w.trailer()
		w.out = append(w.out, "\r\n"...)
	case w.written < w.length:
		w.abort()
		_ = w.fail(errTooShort)
	}
	if w.s.mayLeaveToRead() {
		return true
	}
	if w.flush() != nil || w.closing {
		return false
	}
	if w.timed { // for this response, not for the next
		return w.s.conn.SetWriteDeadline(time.Time{}) == nil
	}
	return true
}

// abort ends the response where it is. What was written before goes out, unless
// that would make it look whole.
func (w *response) abort() {
	w.aborted = true
	if !w.noBody && (w.length < 0 || w.written < w.length) {
		_ = w.flush() // there is nobody left to hear of it
	}
	w.out = w.out[:0]
}

// trails reports whether the header speaks of trailers, before it was sent.
func (w *response) trails() bool {
	for name := range w.header {
		if name == "Trailer" || strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// zero is shared; nobody changes it.
var zero = []string{"0"}[:1:1]

// trailer appends the trailer fields: those announced, and those whose names say
// that they are some.
func (w *response) trailer() {
	for _, name := range w.trailers {
		for _, v := range w.header[name] {
			w.field(name, v)
		}
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok && httpfield.IsToken(name) {
			for _, v := range values {
				w.field(name, v)
			}
		}
	}
}
