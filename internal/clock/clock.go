// Package clock is how services learn the time, so that tests can give them
// another, and how they wait. Pure code takes now as an argument; timers are
// tested with testing/synctest.
package clock

import (
	"context"
	"time"
)

// Clock tells the time. The zero value is the real clock.
type Clock struct {
	now func() time.Time
}

// At returns a clock that asks now.
func At(now func() time.Time) Clock { return Clock{now: now} }

// Now returns the current time, with a monotonic reading on the real clock.
func (c Clock) Now() time.Time {
	if c.now == nil {
		return time.Now()
	}
	return c.now()
}

// Sleep waits for d, in real time, and reports whether ctx lasted. With d of 0 or
// less it only looks at ctx.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
