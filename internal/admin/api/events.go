package api

import (
	"errors"
	"fmt"
	"sync"
)

// The limits of streams.
const (
	maxStreams     = 32
	maxStreamsEach = 8   // of one caller
	streamBuffer   = 256 // events that wait for a slow client
)

var (
	errStreams      = fmt.Errorf("%d streams of events are open, and no more are kept", maxStreams)
	errStreamsEach  = fmt.Errorf("%d streams of events are open for this caller, and no more are kept", maxStreamsEach)
	errEventsClosed = errors.New("this Evergate stops, and opens no more streams")
)

// Events hands what happens to all who listen. Safe for concurrent use. Publish
// never waits: a listener that reads too slowly is dropped.
type Events struct {
	mu        sync.Mutex // guards the fields below
	closed    bool
	listeners map[*listener]struct{}
}

// NewEvents returns Events that nobody listens to yet.
func NewEvents() *Events { return &Events{listeners: map[*listener]struct{}{}} }

// listener is one open stream. events is closed when it ends; end is why.
type listener struct {
	who    string
	events chan Event
	end    End // written before events is closed
}

// Publish hands e to all who listen. e.Data belongs to the listeners from now on
// and may not be changed.
func (e *Events) Publish(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for l := range e.listeners {
		select {
		case l.events <- event:
		default:
			e.drop(l, End{Reason: fmt.Sprintf("this client reads too slowly: %d events wait for it", streamBuffer), Again: true})
		}
	}
}

// Close ends all streams and lets nobody listen any more. It is for the shutdown
// of the listeners, which would wait for the streams.
func (e *Events) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	for l := range e.listeners {
		e.drop(l, End{Reason: "Evergate stops", Again: true})
	}
}

// listen opens a stream for who. master may when all others are taken, too. Errors:
// errStreams, errStreamsEach, errEventsClosed.
func (e *Events) listen(who string, master bool) (*listener, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errEventsClosed
	}
	if len(e.listeners) >= maxStreams && !master {
		return nil, errStreams
	}
	same := 0
	for other := range e.listeners {
		if other.who == who {
			same++
		}
	}
	if same >= maxStreamsEach {
		return nil, errStreamsEach
	}
	l := &listener{who: who, events: make(chan Event, streamBuffer)}
	e.listeners[l] = struct{}{}
	return l, nil
}

// leave ends a stream whose client is gone. It may have ended already.
func (e *Events) leave(l *listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.listeners[l]; ok {
		e.drop(l, End{})
	}
}

func (e *Events) drop(l *listener, why End) {
	delete(e.listeners, l)
	l.end = why
	close(l.events)
}
