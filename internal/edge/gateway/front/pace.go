package front

import "time"

// verdict is what a look at a visitor found.
type verdict uint8

const (
	fine    verdict = iota
	stalled         // took nothing for too long
	slow            // took less than the least rate
)

// pace judges how fast a visitor takes what we send (guide, section 6: response
// write). It is looked at now and then, never at each write, and judges only the
// time in which the visitor is what everything waits for: a server that is slow
// to answer, or a stream of events without events, costs its visitor nothing.
type pace struct {
	idle  time.Duration // longest time without a byte taken
	rate  float64       // least bytes per second; 0: any
	grace time.Duration // waiting time before the rate counts

	last    time.Time // of the look before
	taken   uint64    // at the look before
	waiting bool      // at the look before
	still   time.Duration
	waited  time.Duration // of the average's time
	got     float64       // bytes in that time
}

// look judges. taken is the number of bytes that the visitor has taken since
// the connection began, waiting whether more lie ready that it could take.
func (p *pace) look(now time.Time, taken uint64, waiting bool) verdict {
	passed, more := now.Sub(p.last), taken-p.taken
	throughout := p.waiting && waiting // as far as two looks can tell
	p.last, p.taken, p.waiting = now, taken, waiting
	if !throughout {
		p.still, p.waited, p.got = 0, 0, 0
		return fine
	}
	if more > 0 {
		p.still = 0
	} else {
		p.still += passed
	}
	if p.still >= p.idle {
		return stalled
	}
	p.waited += passed
	p.got += float64(more)
	if p.rate > 0 && p.waited >= p.grace && p.got < p.rate*p.waited.Seconds() {
		return slow
	}
	// The past loses half its weight again and again: somebody who began fast may
	// pause, and may not live on it for ever.
	if p.waited >= 2*p.grace {
		p.waited /= 2
		p.got /= 2
	}
	return fine
}
