package vendor

import "math/rand/v2"

// Fault is what a server does wrong with one request.
type Fault uint8

// The faults. A server that refuses connections is none of these: it is closed
// for a while (see server.comeAndGo).
const (
	None             Fault = iota
	ResetUnread            // the connection is reset, the request was not read
	ResetRead              // the request is read, then the connection is reset
	ResetApplied           // the same, and an order has been carried out
	Slow                   // the answer takes longer than anybody waits
	SlowApplied            // the same, and an order has been carried out
	Status500              // 500
	Status500Applied       // 500 although an order has been carried out
	Status503              // 503 without a word about later
	Declined               // 503 with Retry-After: nothing was done
	Cut                    // the answer ends in the middle; an order has been carried out
	faults
)

// perMille is how often each fault strikes a request that a server accepts. With
// the times when a server is closed it makes about a quarter.
var perMille = [faults]int{
	ResetUnread:      25,
	ResetRead:        20,
	ResetApplied:     15,
	Slow:             12,
	SlowApplied:      8,
	Status500:        25,
	Status500Applied: 15,
	Status503:        20,
	Declined:         40,
	Cut:              30,
}

func (f Fault) String() string {
	return [...]string{"none", "reset unread", "reset", "reset, applied", "slow", "slow, applied",
		"500", "500, applied", "503", "503 with Retry-After", "cut"}[f]
}

// applies reports whether an order that meets f is carried out.
func (f Fault) applies() bool {
	switch f {
	case None, ResetApplied, SlowApplied, Status500Applied, Cut:
		return true
	}
	return false
}

// draw is the next fault of a server.
func draw(r *rand.Rand) Fault {
	n := r.IntN(1000)
	for f, share := range perMille {
		if n -= share; n < 0 {
			return Fault(f)
		}
	}
	return None
}
