package proxy

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// errTime is why an attempt's context ends when the attempt's time is over.
// Transports read from it that this is a time-out.
var errTime = fmt.Errorf("time of the attempt: %w", context.DeadlineExceeded)

// stopwatch bounds an attempt whose visitor is still sending the body. Its clock
// stands still while the visitor sends (guide, 3.1(5)): each piece that arrives
// sets it back to the start, so that an upload may take as long as the limits of
// bodies allow, and only a server that takes nothing for the attempt's whole
// time runs out of it. It is the replay.Watch of the attempt's reader.
type stopwatch struct {
	mu      sync.Mutex // guards the fields below
	timer   *time.Timer
	limit   time.Duration
	base    time.Time // since when the clock runs
	waiting bool      // for the visitor: it does not run
	running bool      // between start and stop
	expired bool
	expire  func()
}

// start runs the clock: when it has run for limit, expire is called once.
func (s *stopwatch) start(limit time.Duration, expire func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.base, s.waiting, s.running, s.expired, s.expire = limit, time.Now(), false, true, false, expire
	if s.timer == nil {
		s.timer = time.AfterFunc(limit, s.check)
		return
	}
	s.timer.Reset(limit)
}

// stop ends it and says since when the clock has run, and whether it ran out.
func (s *stopwatch) stop() (base time.Time, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		s.running = false
		s.timer.Stop()
		if s.waiting {
			s.waiting, s.base = false, time.Now()
		}
	}
	return s.base, s.expired
}

// Waiting implements replay.Watch.
func (s *stopwatch) Waiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = true
}

// Received implements replay.Watch.
func (s *stopwatch) Received() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting, s.base = false, time.Now()
}

// check is the timer's function. A call that comes too late finds a clock that
// has not run long enough, and does nothing but look again.
func (s *stopwatch) check() {
	s.mu.Lock()
	if !s.running {
		s.mu.Unlock()
		return
	}
	left := s.limit
	if !s.waiting {
		left -= time.Since(s.base)
	}
	if left > 0 {
		s.timer.Reset(left)
		s.mu.Unlock()
		return
	}
	s.running, s.expired = false, true
	expire := s.expire
	s.mu.Unlock()
	expire() // ends a context, which may call back: not with the lock held
}
