package front

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	piece      = 64 << 10 // a write is handed down in pieces of at most this (guide, section 6)
	smallPiece = 8 << 10  // likewise once the visitor has been slow
)

// stream is the ResponseWriter of one HTTP/2 or HTTP/3 request. A visitor may
// keep the window of a stream shut while the connection is well, so each piece of
// a response has its own time: the visitor's watch ends a stream whose write made
// no headway for limits.response.idle_timeout.
type stream struct {
	w       http.ResponseWriter
	visitor *visitor
	since   atomic.Int64 // when the write under way began, Unix ns; 0: none
	size    int          // of a piece
	status  int          // final status written, 0: none yet
	wrote   bool         // a byte of body

	next, previous *stream // in the visitor's list
}

var streams = sync.Pool{New: func() any { return new(stream) }}

// serveStream answers r through a stream of v, and counts it as reset when it
// ended before its answer.
func (f *Front) serveStream(w http.ResponseWriter, r *http.Request, v *visitor) {
	s := streams.Get().(*stream)
	s.w, s.visitor, s.size = w, v, piece
	v.enterStream(s)
	defer func() {
		if s.status == 0 && r.Context().Err() != nil {
			v.countReset(time.Now(), v.generation.settings.limits.HTTP2Resets)
		}
		v.leaveStream(s)
		s.w, s.visitor, s.status, s.wrote = nil, nil, 0, false
		streams.Put(s)
	}()
	f.next.ServeHTTP(s, r)
	s.finish()
}

// begin and end stand around everything that may wait for the visitor.
func (s *stream) begin() int64 {
	now := time.Now().UnixNano()
	s.since.Store(now)
	s.visitor.begun.Add(1)
	if !s.visitor.armed.Load() {
		s.visitor.arm()
	}
	return now
}

func (s *stream) end(began int64) {
	s.since.Store(0)
	if s.size == piece && time.Now().UnixNano()-began > int64(s.visitor.pace.idle/8) {
		s.size = smallPiece
	}
}

// finish leaves a deadline behind for what the server still holds when the
// handler has returned: from then on the watch may not touch the stream. Streams
// of a connection that waits as a whole get more, since they share its pace.
func (s *stream) finish() {
	if !s.wrote {
		return
	}
	rest := s.visitor.pace.idle
	if s.visitor.waiting.Load() {
		rest *= 4
	}
	// Not supported by the writers of tests; there nothing can be stuck.
	_ = http.NewResponseController(s.w).SetWriteDeadline(time.Now().Add(rest))
}

// expire ends the write under way. The watch calls it.
func (s *stream) expire() {
	_ = http.NewResponseController(s.w).SetWriteDeadline(time.Unix(1, 0))
}

// Header implements http.ResponseWriter.
func (s *stream) Header() http.Header { return s.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (s *stream) WriteHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
	}
	began := s.begin()
	s.w.WriteHeader(status)
	s.end(began)
}

// Write hands b down piece by piece.
func (s *stream) Write(b []byte) (n int, err error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	for {
		p := b[n:min(n+s.size, len(b))]
		began := s.begin()
		done, err := s.w.Write(p)
		s.end(began)
		s.wrote = s.wrote || done > 0
		if n += done; err != nil || n >= len(b) {
			return n, err
		}
	}
}

// ReadFrom copies with a pooled buffer; there is nothing faster under HTTP/2 and 3.
func (s *stream) ReadFrom(r io.Reader) (int64, error) {
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	return io.CopyBuffer(justWriter{s}, justReader{r}, *buffer)
}

// Flush and FlushError send what is buffered.
func (s *stream) Flush() {
	// The next write meets the same error.
	_ = s.FlushError()
}

func (s *stream) FlushError() error {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	began := s.begin()
	defer s.end(began)
	return http.NewResponseController(s.w).Flush()
}

// Unwrap gives http.ResponseController the writer beneath.
func (s *stream) Unwrap() http.ResponseWriter { return s.w }
