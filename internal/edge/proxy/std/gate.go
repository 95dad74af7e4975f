package std

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// gate stands between the request's body and net/http, which reads it on a
// goroutine of its own and for as long as it likes. After shut nothing is read.
type gate struct {
	req   *upstream.Request
	left  int64 // bytes to come; -1: unknown
	clock *clock

	mu      sync.Mutex // guards the fields below
	free    sync.Cond  // no Read is under way
	reading bool
	closed  bool
	held    bool  // the server has not asked for the body yet
	answer  bool  // there is a final response
	err     error // wraps ErrRequestBody: reading the body failed
}

func newGate(req *upstream.Request, c *clock) *gate {
	g := &gate{req: req, left: req.ContentLength, clock: c, held: req.Expect}
	g.free.L = &g.mu
	return g
}

// Read implements io.Reader.
func (g *gate) Read(p []byte) (n int, err error) {
	g.mu.Lock()
	g.hold()
	switch {
	case g.closed:
		g.mu.Unlock()
		return 0, io.ErrClosedPipe
	case g.err != nil:
		defer g.mu.Unlock()
		return 0, g.err
	case g.left == 0:
		g.mu.Unlock()
		return 0, io.EOF
	}
	g.reading = true
	g.mu.Unlock()
	if g.left > 0 && int64(len(p)) > g.left {
		p = p[:g.left]
	}
	n, err = g.body(p)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.reading = false
	g.free.Broadcast()
	if g.left > 0 {
		g.left -= int64(n)
		if err == io.EOF && g.left > 0 { //nolint:errorlint // readers return it bare
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil && err != io.EOF && !g.closed { //nolint:errorlint // readers return it bare
		g.err = fmt.Errorf("%w: %w", upstream.ErrRequestBody, err)
		return n, g.err
	}
	return n, err
}

// hold waits, with mu locked, while the body may not be read: before 100
// (Continue), and after a final response in its place. net/http would send the
// body then all the same, to keep the connection; that it stays untouched is
// worth more.
func (g *gate) hold() {
	for g.held && !g.closed {
		g.free.Wait()
	}
}

// waiting notes that net/http begins to wait for 100 (Continue).
func (g *gate) waiting() { time.AfterFunc(expectWait, g.wanted) }

// wanted lets the body go: 100 (Continue) has come, or was waited for in vain.
func (g *gate) wanted() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.answer {
		g.held = false
		g.free.Broadcast()
	}
}

// answered notes that RoundTrip is over.
func (g *gate) answered() {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = true
}

// body reads from the visitor while the head's clock stands still.
func (g *gate) body(p []byte) (n int, err error) {
	g.clock.pause()
	defer g.clock.resume()
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("panic: %v", v)
		}
	}()
	return g.req.Body.Read(p)
}

// Close implements io.Closer. net/http calls it when it has read enough, or when
// the attempt is over while a Read is still under way.
func (g *gate) Close() error {
	g.close()
	return nil
}

// close ends the reading without waiting for a Read under way.
func (g *gate) close() {
	g.mu.Lock()
	wake := g.reading && !g.closed && g.req.Interrupt != nil
	g.closed = true
	g.free.Broadcast()
	g.mu.Unlock()
	if wake {
		g.req.Interrupt()
	}
}

// shut ends the reading and waits for a Read under way.
func (g *gate) shut() {
	if g == nil {
		return
	}
	g.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.reading {
		g.free.Wait()
	}
}

// failure is what reading the body failed with.
func (g *gate) failure() error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// clock calls end when the time for the head is over; it can be paused. A nil
// clock has no end.
type clock struct {
	mu    sync.Mutex // guards the fields below
	timer *time.Timer
	left  time.Duration
	since time.Time // when it was last started
	done  bool
}

func newClock(d time.Duration, end func()) *clock {
	if d <= 0 {
		return nil
	}
	return &clock{timer: time.AfterFunc(d, end), left: d, since: time.Now()}
}

func (c *clock) pause() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done && c.timer.Stop() {
		c.left -= time.Since(c.since)
	}
}

func (c *clock) resume() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.done {
		c.since = time.Now()
		c.timer.Reset(max(c.left, 0))
	}
}

// stop ends the clock for good.
func (c *clock) stop() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = true
	c.timer.Stop()
}

// empty is a body without content that net/http does not recognise as such and
// therefore never repeats.
type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }
func (empty) Close() error             { return nil }
