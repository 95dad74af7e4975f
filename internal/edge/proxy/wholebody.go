package proxy

import (
	"io"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// pooledBody is the largest body whose memory is used again.
const pooledBody = 64 << 10

// wholeBody is a response body that was read before its first byte went out
// (retry.hold_body).
type wholeBody struct {
	bytes  []byte
	at     int
	pooled *[pooledBody]byte // nil: too large for the pool
}

var wholeBodies = sync.Pool{New: func() any { return new([pooledBody]byte) }}

// newWholeBody has room for n bytes, which are to be filled.
func newWholeBody(n int64) *wholeBody {
	if n > pooledBody {
		return &wholeBody{bytes: make([]byte, n)}
	}
	room := wholeBodies.Get().(*[pooledBody]byte)
	return &wholeBody{bytes: room[:n], pooled: room}
}

// Buffered says that a Read never waits.
func (b *wholeBody) Buffered() int { return len(b.bytes) - b.at }

// Read implements io.Reader.
func (b *wholeBody) Read(p []byte) (int, error) {
	if b.at == len(b.bytes) {
		return 0, io.EOF
	}
	n := copy(p, b.bytes[b.at:])
	b.at += n
	return n, nil
}

// WriteTo implements io.WriterTo.
func (b *wholeBody) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b.bytes[b.at:])
	b.at += n
	return int64(n), err
}

// free gives the memory back. b must not be used any longer.
func (b *wholeBody) free() {
	if b.pooled != nil {
		wholeBodies.Put(b.pooled)
	}
	b.bytes, b.pooled = nil, nil
}

// readWhole reads a body of n bytes within what is left of the request's time.
func (c *call) readWhole(n int64) (*wholeBody, error) {
	body := c.at.resp.Body
	b, ok := body.(interface{ Buffered() int })
	if !ok || int64(b.Buffered()) < n {
		over := cutAfter(c.at.resp, c.remaining(time.Now()))
		defer over()
	}
	whole := newWholeBody(n)
	if _, err := io.ReadFull(body, whole.bytes); err != nil {
		whole.free()
		return nil, err
	}
	return whole, nil
}

// cutAfter cuts resp when d has gone by, unless over was called before. After
// over has returned resp is not touched any more.
func cutAfter(resp *upstream.Response, d time.Duration) (over func()) {
	var mu sync.Mutex
	done := false
	timer := time.AfterFunc(d, func() {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			resp.Cut()
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		done = true
	}
}
