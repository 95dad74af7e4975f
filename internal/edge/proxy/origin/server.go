package origin

import (
	"context"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// firstWindow is how many requests a server without max_in_flight takes from the
// queue at once when it has just come back; each success allows one more.
const firstWindow = 10

// server is one address of an origin: its state, its slots, its connections.
// The group's lock guards everything but the fields set when it is made.
type server struct {
	name      string // in logs and metrics, unique in the origin
	identity  string // what must not change if it is to go on over a reload
	address   string
	transport upstream.Transport
	hash      uint64 // of name

	target  *target // as configured now
	host    string  // value for Host, "" for the visitor's own
	backup  bool
	tokens  []string // in the sticky cookie, one for each secret; the first one is given out
	cookie  string   // Set-Cookie, "" without sticky
	secured string   // the same with Secure

	weight   int // as configured now, or as its lever says
	full     int // max_in_flight, 0: unlimited
	inFlight int
	window   int  // while above 0: the bound of a server with full == 0 that has just come back
	gone     bool // not configured or resolved any more: goes when the last request has left
	shut     bool // its transport was closed

	machine machine
	trial   struct {
		busy   bool      // one is under way
		open   bool      // a connection was made: one request may come and be the trial
		openAt time.Time // since when open
	}

	share int64 // for the balancer, filled in before each pick
	turn  int64 // of roundRobin

	lastError   string
	lastErrorAt time.Time

	// Active checks; see check.go.
	checks struct {
		stop      context.CancelFunc // nil: none
		transport upstream.Transport // nil: that of traffic
		poke      chan struct{}      // look again when the next one is due
		force     bool               // the next one is due now
		done      chan struct{}      // closed and replaced when a check ended
		last      time.Time          // start of the last one
		ended     time.Time          // end of the last one
		passed    bool               // the last one
		n         int                // made since the server is unknown
	}
}

// bound is how many requests the server may have under way now; 0: unlimited.
func (s *server) bound(now time.Time) int {
	if s.full > 0 {
		return s.machine.limit(now, s.full)
	}
	return s.window
}

// free reports whether the server has a free slot now.
func (s *server) free(now time.Time) bool {
	b := s.bound(now)
	return b == 0 || s.inFlight < b
}

// failed keeps the last error for status.
func (s *server) failed(now time.Time, text string) {
	s.lastError, s.lastErrorAt = text, now
}

// configure takes over the settings that may change without making it another
// server.
func (s *server) configure(t *target, limit int, cookie *config.Sticky) {
	s.target = t
	s.host, s.backup = t.hostValue(), t.cfg.Backup
	s.full = limit
	s.cookie, s.secured = "", ""
	if cookie != nil {
		s.cookie = stickyCookie(cookie, s.tokens[0])
		s.secured = s.cookie + "; Secure"
	}
}
