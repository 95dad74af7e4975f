package origin

import "time"

// State is where a server stands (guide, section 4.1). It decides what traffic
// the server gets; what moves it is in machine.
type State uint8

// The states.
const (
	Unknown  State = iota // not checked yet: no traffic
	Ramping               // came back: weight and concurrency grow over health.slow_start
	Up                    // full traffic
	Ejected               // failed too often: no traffic until checks pass or the ejection is over
	Trial                 // the ejection is over: one request or check at a time decides
	Suspect               // failed too often, but it is the last one: requests wait, trials go on
	Draining              // by the operator, or no longer configured: no new requests
	Maint                 // by the operator: no new requests, no checks
	states                // their number
)

// String gives the words used in logs, metric labels and explain.
func (s State) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Ramping:
		return "ramping"
	case Up:
		return "up"
	case Ejected:
		return "ejected"
	case Trial:
		return "trial"
	case Suspect:
		return "suspect"
	case Draining:
		return "draining"
	case Maint:
		return "maint"
	}
	return "invalid"
}

// Eligible reports whether a server in this state gets ordinary traffic.
func (s State) Eligible() bool { return s == Up || s == Ramping }

// Change is one step of a server from one state to another.
type Change struct {
	Origin, Server string
	From, To       State
	Reason         string // a sentence for the log
	Ejection       string // why it was ejected, a word of a closed list ("failures", "checks", "trial"); "" for other changes
	At             time.Time
}
