package proxy

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
	"github.com/evergate/evergate/internal/httpfield"
)

// answer is a final response on its way to the visitor.
type answer struct {
	status  int
	fields  []upstream.Field
	length  int64 // -1: unknown
	body    io.Reader
	trailer func() []upstream.Field
	cookie  string // a Set-Cookie value to add, "" for none
}

// mayWait reports whether reading the body may have to wait for the server whose
// response is under way.
func (a *answer) mayWait() bool {
	switch b := a.body.(type) {
	case *held, *wholeBody:
		return false // kept from an attempt that is over, or there already
	case interface{ Buffered() int }:
		return a.length < 0 || int64(b.Buffered()) < a.length
	}
	return true
}

// What ended the forwarding of a body early.
var (
	errVisitor = errors.New("visitor left")
	errCut     = errors.New("response cut short by the server")
)

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// forward sends a to the visitor. Nothing is invented: no Content-Type, no
// length. Errors wrap errVisitor or errCut; after either, the visitor's
// connection must be aborted, so that a cut answer never looks whole.
func (c *call) forward(a *answer) error {
	h := c.w.Header()
	noBody := c.r.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified
	copyFields(h, a.fields, a.length >= 0)
	if a.cookie != "" {
		h["Set-Cookie"] = append(h["Set-Cookie"], a.cookie)
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // keeps net/http from guessing one
	}
	announced := announce(h, a.fields)
	c.closeIfUnread()
	c.forwarding = true
	c.w.WriteHeader(a.status)
	if noBody {
		return nil
	}
	out := &c.sink
	*out = sink{w: c.w, each: a.length < 0 || isStream(h)}
	if out.each {
		if b, ok := a.body.(interface{ Buffered() int }); !ok || b.Buffered() == 0 {
			if out.flush() != nil {
				return errVisitor
			}
		}
	}
	if longest := c.h.origin.cfg.ResponseIdleTimeout.D(); longest > 0 && a.mayWait() {
		c.pause.begin(c.at.resp, longest)
		out.pause = &c.pause
		defer c.pause.end()
	}
	if err := copyBody(out, a.body); err != nil {
		return err
	}
	for _, f := range a.trailer() {
		if httpfield.IsHopByHop(f.Name) {
			continue
		}
		name := f.Name
		if !announced[name] {
			name = http.TrailerPrefix + name
		}
		h[name] = append(h[name], f.Value)
	}
	return nil
}

// announce passes the names of announced trailers on, and returns them.
func announce(h http.Header, fields []upstream.Field) map[string]bool {
	var names map[string]bool
	for i := range fields {
		if fields[i].Name != "Trailer" {
			continue
		}
		for name := range strings.SplitSeq(fields[i].Value, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			switch {
			case name == "" || httpfield.IsHopByHop(name), name == "Content-Length":
				continue
			case len(h[name]) > 0:
				continue // net/http would take the field's value for the trailer's
			case names == nil:
				names = make(map[string]bool)
			}
			names[name] = true
			h["Trailer"] = append(h["Trailer"], name)
		}
	}
	return names
}

// isStream reports whether each piece must reach the visitor at once although
// the length may be known.
func isStream(h http.Header) bool {
	if ct := h["Content-Type"]; len(ct) > 0 {
		return strings.HasPrefix(ct[0], "text/event-stream") || strings.HasPrefix(ct[0], "application/grpc")
	}
	return false
}

// copyBody copies body to out up to its end. Errors wrap errVisitor or errCut.
func copyBody(out *sink, body io.Reader) error {
	var err error
	if to, ok := body.(io.WriterTo); ok {
		_, err = to.WriteTo(out)
	} else {
		buf := copyBuffers.Get().(*[32 << 10]byte)
		defer copyBuffers.Put(buf)
		for err == nil && out.err == nil {
			var n int
			n, err = body.Read(buf[:])
			if n > 0 {
				_, _ = out.Write(buf[:n]) // out keeps its error
			}
		}
		if err == io.EOF { //nolint:errorlint // bodies return it bare
			err = nil
		}
	}
	switch {
	case out.err != nil:
		return errors.Join(errVisitor, out.err)
	case err != nil:
		return errors.Join(errCut, err)
	}
	return nil
}

// sink is the visitor as an io.Writer.
type sink struct {
	w     http.ResponseWriter
	each  bool   // flush after each write
	pause *pause // bounds the wait for the next piece; nil: nothing does
	n     int64  // bytes written
	err   error  // of the first write that failed
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	if s.pause != nil {
		s.pause.stop()
		defer s.pause.goOn()
	}
	n, err := s.w.Write(p)
	s.n += int64(n)
	if err == nil && s.each {
		err = s.flush()
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *sink) flush() error {
	err := flush(s.w)
	if err != nil && s.err == nil {
		s.err = err
	}
	return err
}

// flush sends what w has buffered. A writer that cannot flush has no buffer that
// anybody would wait for.
func flush(w http.ResponseWriter) error {
	if f, ok := w.(interface{ FlushError() error }); ok {
		return f.FlushError()
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// interim passes a 1xx response on. 100 (Continue) is not among them: net/http
// sends it by itself once the body is asked for, which a transport does only when
// its server has said 100.
func (c *call) interim(status int, fields []upstream.Field) {
	if status == http.StatusContinue || !c.r.ProtoAtLeast(1, 1) {
		return
	}
	// The writer sends whatever its header holds, so what the gateway has put
	// there for the final response steps aside.
	h := c.w.Header()
	final := maps.Clone(h)
	clear(h)
	copyFields(h, fields, false)
	c.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, final)
}

// closeIfUnread has HTTP/1 connections closed after the response when the
// visitor has not sent his whole body: the rest of it must never be taken for a
// request.
func (c *call) closeIfUnread() {
	if c.streaming && c.r.ProtoMajor == 1 && !c.body.Complete() {
		c.w.Header()["Connection"] = []string{"close"}
		linger(c.w)
	}
}

// linger has net/http wait a little between the end of the response and the
// closing of the connection: a close with unread bytes takes back what the
// visitor has not read yet. It does so by itself when it finds much of a body
// unread, but finds nothing in one whose Read was interrupted; a body over a
// limit is the one other case in which it does, so that is what it is told of.
func linger(w http.ResponseWriter) {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("..")), 0).Read(make([]byte, 2))
}

// deliver forwards the answer, which is that of the attempt under way, and ends
// the attempt.
func (c *call) deliver() {
	err := c.forward(&c.answer)
	outcome := exchange.Success
	if c.failed {
		outcome = exchange.BadStatus
	}
	e := c.cutBy(err)
	if e != nil {
		outcome = e.Outcome
		c.at.lease.Report(outcome, 0)
	}
	c.record(exchange.Forwarded, outcome, c.answer.status, e)
	if w, ok := c.answer.body.(*wholeBody); ok {
		w.free()
	}
	switch {
	case err == nil:
		c.at.release(c)
		c.drainBody()
	case e == nil:
		c.leave()
	default:
		c.cut()
	}
}

// cutBy is the server's part in the error of a forward: nil if there is none, or
// if the visitor left.
func (c *call) cutBy(err error) *upstream.Error {
	if !errors.Is(err, errCut) || c.r.Context().Err() != nil {
		return nil
	}
	var e *upstream.Error
	if !errors.As(err, &e) {
		return &upstream.Error{Class: exchange.Forwarded, Outcome: exchange.BadResponse, Op: "read body", Err: err}
	}
	if e.Outcome == exchange.Canceled {
		return nil
	}
	return e
}
