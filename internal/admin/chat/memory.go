package chat

import (
	"errors"
	"sync"
	"time"
)

const (
	signedWindow  = 5 * time.Minute              // how far a signed time may be off, both ways
	signedKept    = 2*signedWindow + time.Second // a message from ahead of our clock is good that long
	unsignedKept  = 24 * time.Hour               // for which messages are known where no time is signed
	maxRemembered = 16384                        // messages of one program, about 2 MB
)

// Why a message is not taken.
var (
	errReplayed = errors.New("it was taken before")
	errEarlier  = errors.New("it was sent before this process began, which cannot know whether it was taken then")
	errFull     = errors.New("no more messages can be remembered")
)

// memory knows the messages that one program has sent. It forgets none for as long
// as a copy could be taken: when it is full, it takes no more. It is safe for
// concurrent use.
type memory struct {
	start time.Time     // of the process
	keep  time.Duration // for which a message is known
	most  int

	mu    sync.Mutex // guards the fields below
	taken map[key]struct{}
	order []entry // by time of coming
}

type entry struct {
	key key
	end time.Time // when it is forgotten
}

func newMemory(start time.Time, keep time.Duration) *memory {
	return &memory{start: start, keep: keep, most: maxRemembered, taken: make(map[key]struct{})}
}

// look says whether take would take m. Between the two another copy may come.
func (m *memory) look(msg message, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusal(msg, now)
}

// take remembers msg, which comes at now, or returns errReplayed, errEarlier or
// errFull and remembers nothing. Of several copies that come at once it takes one.
func (m *memory) take(msg message, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refusal(msg, now); err != nil {
		return err
	}
	m.taken[msg.key] = struct{}{}
	m.order = append(m.order, entry{msg.key, now.Add(m.keep)})
	return nil
}

// refusal forgets what is due and judges msg; the lock is held.
func (m *memory) refusal(msg message, now time.Time) error {
	due := 0
	for due < len(m.order) && !now.Before(m.order[due].end) {
		delete(m.taken, m.order[due].key)
		due++
	}
	m.order = m.order[due:]

	if _, ok := m.taken[msg.key]; ok {
		return errReplayed
	}
	if !msg.sent.IsZero() && msg.sent.Before(m.start) {
		return errEarlier
	}
	if len(m.order) >= m.most {
		return errFull
	}
	return nil
}
