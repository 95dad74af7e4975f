package store

import "sync"

// hub wakes the listeners of this process. The zero value is ready.
type hub struct {
	mu        sync.Mutex
	listeners map[chan struct{}]string // each with its channel's name
}

func (h *hub) listen(channel string) (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners == nil {
		h.listeners = map[chan struct{}]string{}
	}
	h.listeners[wake] = channel
	return wake, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, wake)
	}
}

// wake wakes the listeners of channel, all of them when it is "".
func (h *hub) wake(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for wake, name := range h.listeners {
		if channel != "" && channel != name {
			continue
		}
		select {
		case wake <- struct{}{}:
		default: // it has one to take already
		}
	}
}
