package chaos

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// receipt is a server's word that a request arrived, or that a POST was applied.
type receipt struct {
	server  string // address
	id      string // the visitor's request id
	attempt int    // value of Evergate-Attempt
}

// ledger is the driver's own account of what happened. Safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	ill      map[string][]span // by server: when it was not well; the last one may be open
	received []receipt
	applied  []receipt
}

// span is a time; a zero end is not over yet.
type span struct{ from, to time.Time }

func newLedger() *ledger { return &ledger{ill: make(map[string][]span)} }

// fell notes that server is not well from now on. It is called before the fault
// is made, recovered after it is over: in doubt, a server is ill.
func (l *ledger) fell(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ill[server] = append(l.ill[server], span{from: time.Now()})
}

// recovered notes that server is well from now on.
func (l *ledger) recovered(server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	spans := l.ill[server]
	spans[len(spans)-1].to = time.Now()
}

// well reports whether server was well all the time between from and to.
func (l *ledger) well(server string, from, to time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.ill[server] {
		if s.from.Before(to) && (s.to.IsZero() || s.to.After(from)) {
			return false
		}
	}
	return true
}

// faults is the number of times that servers fell ill.
func (l *ledger) faults() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, spans := range l.ill {
		n += len(spans)
	}
	return n
}

// The lines that a server's process writes.
const (
	lineReady    = "ready"
	lineReceived = "received"
	lineApplied  = "applied"
)

// follow reads the lines of a server's process to their end. It calls ready
// when the process listens.
func (l *ledger) follow(server string, lines io.Reader, ready func()) error {
	for scan := bufio.NewScanner(lines); ; {
		if !scan.Scan() {
			return scan.Err()
		}
		if scan.Text() == lineReady {
			ready()
			continue
		}
		if err := l.note(server, scan.Text()); err != nil {
			return err
		}
	}
}

func (l *ledger) note(server, line string) error {
	words := strings.Fields(line)
	if len(words) != 3 {
		return fmt.Errorf("ledger line %q: want a word, an id and an attempt", line)
	}
	attempt, err := strconv.Atoi(words[2])
	if err != nil {
		return fmt.Errorf("ledger line %q: %w", line, err)
	}
	r := receipt{server: server, id: words[1], attempt: attempt}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch words[0] {
	case lineReceived:
		l.received = append(l.received, r)
	case lineApplied:
		l.applied = append(l.applied, r)
	default:
		return fmt.Errorf("ledger line %q: unknown word", line)
	}
	return nil
}

func TestLedger_Well(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	l := newLedger()
	l.ill["a"] = []span{{at(10), at(20)}, {from: at(50)}}
	tests := []struct {
		name     string
		from, to int
		want     bool
	}{
		{"before the first fault", 1, 9, true},
		{"into a fault", 5, 15, false},
		{"out of a fault", 15, 25, false},
		{"within a fault", 12, 13, false},
		{"around a fault", 5, 25, false},
		{"between two faults", 21, 49, true},
		{"into a fault that is not over", 45, 60, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := l.well("a", at(tt.from), at(tt.to)); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
	if !l.well("b", at(1), at(100)) {
		t.Error("a server without faults was not well")
	}
}
