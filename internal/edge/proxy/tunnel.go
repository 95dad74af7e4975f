package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// tunnelBuffer is for one direction of a tunnel: two 32 KiB buffers in each of
// 100,000 tunnels would be 6.4 GB.
const tunnelBuffer = 4 << 10

var tunnelBuffers = sync.Pool{New: func() any { return new([tunnelBuffer]byte) }}

// end is one end of a tunnel.
type end interface {
	io.ReadWriter
	CloseWrite() error // what was sent is all; the other direction goes on
	Close() error      // both directions end at once, also a Read or Write under way
}

// tunnel joins a visitor and a server after 101. Each direction is copied until
// its own end, half-closes are passed on, and an error in one ends both.
type tunnel struct {
	route, origin, server string // route is its key

	visitor, upstream end
	idle              time.Duration // longest time without a byte in either direction
	websocket         bool

	up, down direction
	used     atomic.Int64 // when a byte last went by, Unix nanoseconds
	cutOnce  sync.Once
	reason   atomic.Pointer[string] // why it was cut, nil: it ended by itself
}

// direction is one way through a tunnel.
type direction struct {
	n atomic.Int64 // bytes that went by

	mu     sync.Mutex // guards writing, and the fields below
	frames frames
	said   bool // our close frame has gone out: nothing may follow it
}

// Why a tunnel was cut; words for Exchange.Abort.
const (
	abortIdle  = "tunnel_idle"
	abortDrain = "drain"
)

// run copies both directions until both have ended.
func (t *tunnel) run() {
	t.touch()
	var timer *time.Timer
	timer = time.AfterFunc(time.Hour, func() {
		left := t.idle - time.Since(time.Unix(0, t.used.Load()))
		if left <= 0 {
			t.cut(abortIdle)
			return
		}
		timer.Reset(left)
	})
	timer.Reset(t.idle)
	defer timer.Stop()
	var upward sync.WaitGroup
	upward.Go(func() { t.copy(t.upstream, t.visitor, &t.up) })
	t.copy(t.visitor, t.upstream, &t.down)
	upward.Wait()
	t.cut("") // closes what is still half open
}

// copy copies from src to dst until src ends.
func (t *tunnel) copy(dst, src end, d *direction) {
	defer func() {
		if p := recover(); p != nil {
			t.cut("panic")
		}
	}()
	buf := tunnelBuffers.Get().(*[tunnelBuffer]byte)
	defer tunnelBuffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			t.touch()
			if d.write(dst, buf[:n], t.websocket) != nil {
				t.cut("")
				return
			}
		}
		if err == nil {
			continue
		}
		if errors.Is(err, io.EOF) {
			if dst.CloseWrite() == nil {
				return
			}
		}
		t.cut("")
		return
	}
}

func (t *tunnel) touch() { t.used.Store(time.Now().UnixNano()) }

// cut ends both directions at once.
func (t *tunnel) cut(reason string) {
	t.cutOnce.Do(func() {
		if reason != "" {
			t.reason.Store(&reason)
		}
		_ = t.visitor.Close()
		_ = t.upstream.Close()
	})
}

// goodbye sends both ends of a websocket a close frame, each where no frame is
// under way in its direction. It does not wait for a direction that is busy: the
// cut that follows is all that it gets.
func (t *tunnel) goodbye() {
	if !t.websocket {
		return
	}
	t.down.say(t.visitor, closeFrame(false))
	t.up.say(t.upstream, closeFrame(true))
}

// part ends the tunnel soon: a goodbye now, a cut a little later unless stop is
// called before.
func (t *tunnel) part() (stop func() bool) {
	t.goodbye()
	return time.AfterFunc(parting, func() { t.cut(abortDrain) }).Stop
}

// write passes p on. After our close frame, what still comes is dropped.
func (d *direction) write(dst io.Writer, p []byte, follow bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.said {
		return nil
	}
	n, err := dst.Write(p)
	d.n.Add(int64(n))
	if follow {
		d.frames.feed(p[:n])
	}
	return err
}

// say sends frame if none is under way and none before was the last.
func (d *direction) say(dst io.Writer, frame []byte) {
	if !d.mu.TryLock() {
		return
	}
	defer d.mu.Unlock()
	if d.said || d.frames.closed || !d.frames.boundary() {
		return
	}
	d.said = true
	n, _ := dst.Write(frame) // a broken tunnel ends by itself
	d.n.Add(int64(n))
}
