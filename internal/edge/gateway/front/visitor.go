package front

import (
	"crypto/tls"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/config"
)

const (
	shortestStep = 20 * time.Millisecond
	longestStep  = 5 * time.Second
	restingSteps = 8 // a look at a connection that writes and does not wait comes this much rarer
)

// visitor is one connection's state, whatever protocol it speaks. A timer looks
// at it while something is being written; an idle connection has none.
type visitor struct {
	front      *Front
	generation *generation
	socket     *socket
	leaving    atomic.Bool          // the answer to its next request is its last
	tls        *tls.ConnectionState // of HTTP/1.1 over TLS, set before its first request

	// end closes the connection at once. why is a word for the metric.
	end func(why string)
	// sample returns the bytes that the visitor has taken, and whether more lie
	// ready for it in the kernel.
	sample func() (taken uint64, waiting bool)

	armed   atomic.Bool   // the timer runs
	begun   atomic.Uint64 // writes begun
	writing atomic.Int32  // writes under way
	timer   *time.Timer   // belongs to whoever armed
	pace    pace          // belongs to the timer's function
	step    time.Duration
	rest    int         // steps to the next look
	over    atomic.Bool // closed
	waiting atomic.Bool // as the last look found

	mu      sync.Mutex // guards the fields below
	streams *stream    // HTTP/2 and 3: those whose handler runs
	second  int64      // of the resets counted, as Unix time
	resets  int
}

// setLimits gives the visitor the limits that it will live by.
func (v *visitor) setLimits(l config.ResponseLimits) {
	v.pace = pace{idle: l.IdleTimeout.D(), rate: float64(l.MinRate), grace: l.Grace.D()}
	v.step = v.pace.idle
	if v.pace.rate > 0 && v.pace.grace > 0 {
		v.step = min(v.step, v.pace.grace)
	}
	v.step = min(max(v.step/4, shortestStep), longestStep)
	v.rest = 1
}

// beginWrite and endWrite stand around everything that may wait for the visitor.
// They are on the path of every write: three atomic operations.
func (v *visitor) beginWrite() {
	v.writing.Add(1)
	v.begun.Add(1)
	if !v.armed.Load() {
		v.arm()
	}
}

func (v *visitor) endWrite() { v.writing.Add(-1) }

// arm makes a look come soon.
func (v *visitor) arm() {
	if v.over.Load() || !v.armed.CompareAndSwap(false, true) {
		return
	}
	v.rest = 1
	if v.timer == nil {
		// Started by Reset only: look uses v.timer, so it must be in its place.
		v.timer = time.AfterFunc(math.MaxInt64, v.look)
	}
	v.timer.Reset(v.step)
}

// look is the timer's function: it judges the connection and its streams.
func (v *visitor) look() {
	if v.over.Load() {
		return
	}
	begun, now := v.begun.Load(), time.Now()
	taken, waiting := v.sample()
	v.waiting.Store(waiting)
	switch v.pace.look(now, taken, waiting) {
	case stalled:
		v.end("stalled")
		return
	case slow:
		v.end("slow_reader")
		return
	}
	blocked := v.lookAtStreams(now, waiting)
	switch {
	case waiting || blocked:
		v.rest = 1
	case v.writing.Load() > 0:
		v.rest = min(2*v.rest, restingSteps)
	default:
		// Whoever began to write meanwhile saw the timer armed and left it alone.
		v.armed.Store(false)
		if v.begun.Load() != begun {
			v.arm()
		}
		return
	}
	v.timer.Reset(time.Duration(v.rest) * v.step)
}

// lookAtStreams ends streams whose window the visitor keeps shut, and reports
// whether one waits. While the connection itself waits, its streams are excused:
// they share its pace.
func (v *visitor) lookAtStreams(now time.Time, waiting bool) (blocked bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := v.streams; s != nil; s = s.next {
		since := s.since.Load()
		if since == 0 {
			continue
		}
		blocked = true
		if waiting {
			s.since.CompareAndSwap(since, now.UnixNano())
			continue
		}
		if now.UnixNano()-since >= int64(v.pace.idle) {
			v.front.metrics.stalledStreams.Inc()
			s.expire()
		}
	}
	return blocked
}

// enterStream and leaveStream keep the list of streams. After leaveStream has
// returned, the timer touches s no more.
func (v *visitor) enterStream(s *stream) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.next = v.streams; s.next != nil {
		s.next.previous = s
	}
	v.streams = s
}

func (v *visitor) leaveStream(s *stream) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.previous != nil {
		s.previous.next = s.next
	} else {
		v.streams = s.next
	}
	if s.next != nil {
		s.next.previous = s.previous
	}
	s.next, s.previous = nil, nil
}

// countReset counts a stream that ended before its answer, because the visitor
// reset it or made us reset it, and closes the connection of one who does it too
// often (CVE-2023-44487, CVE-2025-8671). It counts by the clock's seconds: exact
// enough for a limit in the hundreds.
func (v *visitor) countReset(now time.Time, limit int) {
	v.mu.Lock()
	if second := now.Unix(); v.second != second {
		v.second, v.resets = second, 0
	}
	v.resets++
	tooMany := v.resets == limit+1
	v.mu.Unlock()
	v.front.metrics.resetStreams.Inc()
	if tooMany {
		v.end("resets")
	}
}
