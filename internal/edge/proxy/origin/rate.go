package origin

import "time"

const (
	rateSample = 250 * time.Millisecond // shortest time between two samples
	rateStale  = 10 * time.Second       // a sample older than this says nothing
)

// rate estimates how many attempts end per second, from a counter that somebody
// else keeps. It is looked at only while requests wait, so that requests that do
// not wait pay nothing for it. Not safe for concurrent use.
type rate struct {
	at        time.Time // of the last sample
	count     uint64    // the counter then
	perSecond float64   // 0: unknown
}

// sample looks at the counter, which stands at count at now.
func (r *rate) sample(now time.Time, count uint64) {
	d := now.Sub(r.at)
	switch {
	case r.at.IsZero() || d > rateStale:
		*r = rate{at: now, count: count}
	case d >= rateSample:
		v := float64(count-r.count) / d.Seconds()
		if r.perSecond > 0 {
			v = (v + r.perSecond) / 2
		}
		*r = rate{at: now, count: count, perSecond: v}
	}
}

// wait estimates how long the request at position (from 1) will wait; 0: unknown.
func (r *rate) wait(position int) time.Duration {
	if r.perSecond <= 0 {
		return 0
	}
	return time.Duration(float64(position) / r.perSecond * float64(time.Second))
}
