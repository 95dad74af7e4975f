// Package clock is how services learn the time, so that tests can give them another.
// Pure code takes now as an argument; timers are tested with testing/synctest.
package clock

import "time"

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
