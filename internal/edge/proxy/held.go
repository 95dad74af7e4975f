package proxy

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// heldPatience is how long a failed answer is waited for that came before the
// request had been sent: sending the request anew ends what is left of it.
const heldPatience = 250 * time.Millisecond

// held is a failed response that is kept while other servers are tried, in case
// none of them answers (guide, 3.1(7)). Its head and the beginning of its body
// are read meanwhile; the rest stays unread on its connection.
type held struct {
	attempt attempt // that brought it, with its response; its lease has no slot any more

	fields  []upstream.Field // copies, valid when the connection has gone back
	trailer []upstream.Field
	done    chan struct{} // the goroutine has ended

	mu     sync.Mutex // guards the fields below
	buf    []byte     // read and not yet given away
	more   chan struct{}
	stop   bool // the goroutine reads no further
	err    error
	whole  bool // all was read
	closed bool
}

// hold starts to read up to limit bytes of the body of a's response.
func hold(a attempt, limit int64) *held {
	resp := a.resp
	h := &held{attempt: a, fields: slices.Clone(resp.Fields), done: make(chan struct{}), more: make(chan struct{}, 1)}
	if resp.ContentLength >= 0 && resp.ContentLength < limit {
		limit = resp.ContentLength + 1 // reading on to the end sets the connection free
	}
	go h.read(limit)
	return h
}

func (h *held) read(limit int64) {
	defer close(h.done)
	defer func() {
		if p := recover(); p != nil {
			h.note(nil, fmt.Errorf("read a held response: panic: %v", p))
		}
	}()
	for limit > 0 {
		piece := make([]byte, min(limit, 4<<10))
		n, err := h.attempt.resp.Body.Read(piece)
		limit -= int64(n)
		if err == io.EOF { //nolint:errorlint // bodies return it bare
			h.trailer = slices.Clone(h.attempt.resp.Trailer())
			h.finish()
		}
		if h.note(piece[:n], err) {
			return
		}
	}
}

// finish gives the connection back, which nobody may cut any more.
func (h *held) finish() {
	h.mu.Lock()
	h.whole = true
	h.mu.Unlock()
	_ = h.attempt.resp.Close()
}

// note keeps what was read and reports whether that is enough.
func (h *held) note(p []byte, err error) (enough bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf = append(h.buf, p...)
	h.err = err
	select {
	case h.more <- struct{}{}:
	default:
	}
	return h.stop || err != nil
}

// Read implements io.Reader for the visitor: first what was held, then the rest.
func (h *held) Read(p []byte) (int, error) {
	for {
		h.mu.Lock()
		h.stop = true
		n := copy(p, h.buf)
		h.buf = h.buf[n:]
		h.mu.Unlock()
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		select {
		case <-h.done:
			h.mu.Lock()
			left := len(h.buf)
			err := h.err
			h.mu.Unlock()
			switch {
			case left > 0:
			case err != nil:
				return 0, err
			default:
				return h.attempt.resp.Body.Read(p)
			}
		case <-h.more:
		}
	}
}

// isWhole reports whether all of it has been read.
func (h *held) isWhole() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.whole
}

// answer is h as what the visitor gets.
func (h *held) answer() answer {
	resp := h.attempt.resp
	return answer{
		status: resp.Status, fields: h.fields, length: resp.ContentLength,
		body: h, trailer: h.trailers, cookie: h.attempt.lease.SetCookie(),
	}
}

func (h *held) trailers() []upstream.Field {
	<-h.done
	if h.isWhole() {
		return h.trailer
	}
	return h.attempt.resp.Trailer()
}

// discard ends h: its connection is closed unless all was read from it.
func (h *held) discard() {
	if h.closed {
		return
	}
	h.closed = true
	h.mu.Lock()
	h.stop = true
	if !h.whole {
		h.attempt.resp.Cut()
	}
	h.mu.Unlock()
	<-h.done
	_ = h.attempt.resp.Close()
}

// awaitHeld waits for the whole of the held answer, ends the sending of the
// request, and reports whether both are done with.
func (c *call) awaitHeld() bool {
	timer := time.NewTimer(heldPatience)
	defer timer.Stop()
	select {
	case <-c.held.done:
	case <-timer.C:
	}
	if !c.held.isWhole() {
		return false
	}
	c.held.attempt.reader.Interrupt()
	return true
}

// answerHeld forwards the last real answer.
func (c *call) answerHeld() {
	c.failed = true
	c.answer = c.held.answer()
	err := c.forward(&c.answer)
	at := &c.x.Attempts[c.held.attempt.index]
	at.Class, at.Duration = exchange.Forwarded, time.Since(c.held.attempt.start)
	switch {
	case err == nil:
		c.drainBody()
	case c.cutBy(err) != nil:
		c.cut()
	default:
		c.leave()
	}
}

// discardHeld ends an older answer: a newer one has come.
func (c *call) discardHeld() {
	if c.held == nil {
		return
	}
	c.held.discard()
	c.finishHeld()
}

// finishHeld counts the attempt of the held answer.
func (c *call) finishHeld() {
	c.h.origin.counters.attempt(&c.x.Attempts[c.held.attempt.index])
	if c.held.attempt.cancel != nil {
		c.held.attempt.cancel(nil)
	}
	c.held = nil
}
