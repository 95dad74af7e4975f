package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/replay"
)

// shared is what all generations of the proxy have in common.
type shared struct {
	tunnels *tunnels
	current atomic.Pointer[replay.Store] // for the requests that come now

	ctx        context.Context // ends when the proxy is closed
	cancel     context.CancelFunc
	background sync.WaitGroup

	mu    sync.Mutex               // guards the fields below
	byDir map[string]*replay.Store // every folder that was ever used
}

func newShared() *shared {
	s := &shared{tunnels: newTunnels(), byDir: make(map[string]*replay.Store)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// open makes sure that there is a store over dir.
func (s *shared) open(dir string, cfg config.Replay, o Options) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byDir[dir] != nil {
		return nil
	}
	store, err := replay.Open(replay.Options{
		Memory: int64(cfg.GlobalMemory), Disk: int64(cfg.DiskQuota), Dir: dir, Logger: o.Logger, Now: o.Clock.Now,
	})
	if err != nil {
		return err
	}
	s.byDir[dir] = store
	return nil
}

// use keeps the bodies of requests that come now in the store over dir.
func (s *shared) use(dir string, cfg config.Replay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	store := s.byDir[dir]
	store.Resize(int64(cfg.GlobalMemory), int64(cfg.DiskQuota))
	s.current.Store(store)
}

// stores returns all that may hold bodies.
func (s *shared) stores() []*replay.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*replay.Store, 0, len(s.byDir))
	for _, store := range s.byDir {
		all = append(all, store)
	}
	return all
}

// endTunnels ends, in the background, the tunnels for which which is true, and
// those that open later.
func (s *shared) endTunnels(within time.Duration, which func(*tunnel) bool) {
	s.tunnels.refuse(which)
	if list, _ := s.tunnels.matching(which); len(list) == 0 {
		return
	}
	s.background.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, within)
		defer cancel()
		s.tunnels.drain(ctx, which)
	})
}

func (s *shared) close() {
	s.cancel()
	s.background.Wait()
}
