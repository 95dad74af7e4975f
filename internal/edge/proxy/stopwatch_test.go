package proxy

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStopwatch(t *testing.T) {
	const limit = 10 * time.Second
	tests := []struct {
		name string
		run  func(s *stopwatch)
		want time.Duration // from the start to the expiry, 0: none
	}{
		{"it runs out after its limit", func(*stopwatch) {}, limit},
		{"it stands still while the visitor is waited for", func(s *stopwatch) {
			time.Sleep(9 * time.Second)
			s.Waiting()
			time.Sleep(time.Hour)
			s.Received()
		}, 9*time.Second + time.Hour + limit},
		{"it never runs out while the visitor is waited for", func(s *stopwatch) { s.Waiting() }, 0},
		{"each piece that arrives sets it back", func(s *stopwatch) {
			for range 5 {
				time.Sleep(9 * time.Second)
				s.Waiting()
				s.Received()
			}
		}, 45*time.Second + limit},
		{"a server that takes nothing gets its whole time once", func(s *stopwatch) {
			s.Waiting()
			time.Sleep(3 * time.Second)
			s.Received()
		}, 3*time.Second + limit},
		{"stopped in time, it does not run out", func(s *stopwatch) {
			time.Sleep(limit - 1)
			s.stop()
		}, 0},
		{"stopped twice, it stays stopped", func(s *stopwatch) {
			s.stop()
			s.stop()
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s stopwatch
				start := time.Now()
				var expired atomic.Int64
				var times atomic.Int64
				s.start(limit, func() { expired.Store(int64(time.Since(start))); times.Add(1) })
				tt.run(&s)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				// While it stands still it looks again from time to time: at most one limit late.
				got := time.Duration(expired.Load())
				if got < tt.want || got > tt.want+limit || (tt.want == 0) != (got == 0) {
					t.Errorf("expired after %s, want %s", got, tt.want)
				}
				if n := times.Load(); n > 1 {
					t.Errorf("expired %d times", n)
				}
				if _, expired := s.stop(); expired != (tt.want != 0) {
					t.Errorf("stop says expired %v", expired)
				}
			})
		})
	}
}

func TestStopwatch_SaysSinceWhenItRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stopwatch
		s.start(time.Minute, func() {})
		time.Sleep(time.Second)
		s.Waiting()
		time.Sleep(time.Second)
		s.Received()
		received := time.Now()
		time.Sleep(time.Second)
		if base, _ := s.stop(); !base.Equal(received) {
			t.Errorf("base %s after the last piece, want 0", base.Sub(received))
		}
		s.start(time.Minute, func() {})
		s.Waiting()
		time.Sleep(time.Second)
		if base, _ := s.stop(); !base.Equal(time.Now()) {
			t.Errorf("stopped while it waited: the base is %s ago, want now", time.Since(base))
		}
	})
}

func TestStopwatch_CanBeUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stopwatch
		for _, limit := range []time.Duration{time.Minute, time.Second, time.Hour, time.Millisecond} {
			start := time.Now()
			done := make(chan time.Duration, 1)
			s.start(limit/2, func() { t.Error("a use that was stopped ran out") })
			time.Sleep(limit / 4)
			s.stop()
			s.start(limit, func() { done <- time.Since(start) })
			if got := <-done; got != limit/4+limit {
				t.Errorf("limit %s: expired after %s", limit, got-limit/4)
			}
		}
	})
}
