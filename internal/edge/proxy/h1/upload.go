package h1

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

// upload writes a request body on its own goroutine while the attempt's reads
// the response: a server may answer before it has read everything. It is
// joined before the attempt ends.
type upload struct {
	c       *conn
	req     *upstream.Request
	done    chan struct{} // closed when run is over
	started bool

	failed  atomic.Bool  // bodyErr is set
	reading atomic.Int64 // when the Read under way began, Unix nanoseconds; 0: none
	waited  atomic.Int64 // nanoseconds spent in Reads that are over

	// Valid after done.
	complete bool  // all was written
	bodyErr  error // reading Body failed: the visitor's fault
}

const (
	uploadChunk = 32 << 10
	chunkHead   = 10 // room for a chunk's size and CRLF
)

var uploads = sync.Pool{New: func() any { return new([chunkHead + uploadChunk + 2]byte) }}

// start begins to send the body; a second call does nothing.
func (u *upload) start() {
	if !u.started {
		u.started = true
		go u.run()
	}
}

// join ends the writer, if it runs, and waits for it. The connection must have
// been cut before, so that no write goes on.
func (u *upload) join() {
	if !u.started {
		return
	}
	select {
	case <-u.done:
		return
	default:
	}
	if u.req.Interrupt != nil {
		u.req.Interrupt()
	}
	<-u.done
}

// finish waits for a writer whose server has answered in full, and reports
// whether it sent everything. One that still reads from the visitor, or that
// writes for much longer, is cut.
func (u *upload) finish() bool {
	if !u.started {
		return false
	}
	select {
	case <-u.done:
		return u.complete
	default:
	}
	if u.reading.Load() == 0 {
		timer := time.NewTimer(writeLag)
		defer timer.Stop()
		select {
		case <-u.done:
			return u.complete
		case <-timer.C:
		}
	}
	u.c.cut()
	u.join()
	return false
}

// stood is for how long the clock of the attempt stood still up to now, and
// whether it does so now.
func (u *upload) stood(now time.Time) (d time.Duration, still bool) {
	if !u.started {
		return 0, false
	}
	d = time.Duration(u.waited.Load())
	if since := u.reading.Load(); since != 0 {
		d += time.Duration(max(now.UnixNano()-since, 0))
		still = true
	}
	return d, still
}

// run copies Body to the connection. A failing write ends it quietly: whoever
// reads the response finds out why. A failing Body cuts the connection.
func (u *upload) run() {
	defer close(u.done)
	defer func() {
		if p := recover(); p != nil {
			u.fail(fmt.Errorf("%w: panic: %v", upstream.ErrRequestBody, p))
		}
	}()
	buf := uploads.Get().(*[chunkHead + uploadChunk + 2]byte)
	defer uploads.Put(buf)
	if u.req.ContentLength >= 0 {
		u.runLength(buf[:uploadChunk])
		return
	}
	u.runChunked(buf[:])
}

func (u *upload) fail(err error) {
	u.bodyErr = err
	u.failed.Store(true)
	u.c.cut()
}

func (u *upload) runLength(buf []byte) {
	for left := u.req.ContentLength; left > 0; {
		n, err := u.read(buf[:min(int64(len(buf)), left)])
		if n > 0 {
			if _, werr := u.c.Conn.Write(buf[:n]); werr != nil {
				return
			}
			left -= int64(n)
		}
		if err != nil && left > 0 {
			u.fail(requestBodyError(err))
			return
		}
	}
	u.complete = true
}

func (u *upload) runChunked(buf []byte) {
	for {
		n, err := u.read(buf[chunkHead : chunkHead+uploadChunk])
		if n > 0 {
			var size [chunkHead]byte
			head := append(strconv.AppendInt(size[:0], int64(n), 16), "\r\n"...)
			from := chunkHead - len(head)
			copy(buf[from:], head)
			copy(buf[chunkHead+n:], "\r\n")
			if _, werr := u.c.Conn.Write(buf[from : chunkHead+n+2]); werr != nil {
				return
			}
		}
		switch {
		case err == nil:
		case err == io.EOF: //nolint:errorlint // readers return it bare
			end, terr := u.end(buf[:0])
			if terr != nil {
				u.fail(terr)
				return
			}
			if _, werr := u.c.Conn.Write(end); werr == nil {
				u.complete = true
			}
			return
		default:
			u.fail(requestBodyError(err))
			return
		}
	}
}

// end is the last chunk with the trailer section.
func (u *upload) end(b []byte) ([]byte, error) {
	b = append(b, "0\r\n"...)
	for name, values := range u.req.Trailer {
		if !httpfield.IsToken(name) {
			return nil, fmt.Errorf("%w: trailer name %.40q", upstream.ErrRequestBody, name)
		}
		for _, v := range values {
			if !clean([]byte(v)) {
				return nil, fmt.Errorf("%w: control character in trailer %s", upstream.ErrRequestBody, name)
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...), nil
}

// read reads from Body with the attempt's clock standing still.
func (u *upload) read(p []byte) (int, error) {
	began := time.Now()
	u.reading.Store(began.UnixNano())
	n, err := u.req.Body.Read(p)
	took := time.Since(began)
	waited := u.waited.Add(int64(took))
	u.reading.Store(0)
	if took > time.Millisecond {
		u.c.setWrite(time.Duration(waited))
	}
	return n, err
}
