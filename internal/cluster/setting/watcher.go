package setting

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Watcher tells of changes. It remembers one version for each key at most, however
// slowly it is asked.
type Watcher struct {
	service *Service
	ready   chan struct{}

	mu      sync.Mutex // guards pending
	pending map[string]Version
}

// Watch returns a watcher that begins with everything that is in force. It ends by
// Stop.
func (s *Service) Watch() *Watcher {
	w := &Watcher{service: s, ready: make(chan struct{}, 1), pending: make(map[string]Version)}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Subscribed first, then read (T3); both under the lock under which changes are told.
	s.watchers[w] = struct{}{}
	w.offer(s.book.all())
	return w
}

// offer adds versions for the next call of Next.
func (w *Watcher) offer(versions []Version) {
	if len(versions) == 0 {
		return
	}
	w.mu.Lock()
	for _, v := range versions {
		w.pending[v.Key] = v
	}
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Next returns what came into force since the last call, the last version of each
// key, by key; the first call returns everything. It waits until there is something;
// the error is that of ctx. Where nothing was ever set the first call waits too.
func (w *Watcher) Next(ctx context.Context) ([]Version, error) {
	for {
		w.mu.Lock()
		pending := w.pending
		w.pending = make(map[string]Version)
		w.mu.Unlock()
		if len(pending) > 0 {
			list := make([]Version, 0, len(pending))
			for _, key := range slices.Sorted(maps.Keys(pending)) {
				list = append(list, pending[key])
			}
			return list, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-w.ready:
		}
	}
}

// Stop ends the watcher. Stopping twice does no harm.
func (w *Watcher) Stop() {
	w.service.mu.Lock()
	defer w.service.mu.Unlock()
	delete(w.service.watchers, w)
}
