package certstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

func TestStorage_LocksExcludeWithinANodeAndBetweenNodes(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		a, b := node(t, s, t.TempDir()), node(t, s, t.TempDir())
		must(t, a.Lock(t.Context(), "x"))
		for _, n := range []*Storage{a, b} {
			if ok, err := n.TryLock(t.Context(), "x"); ok || err != nil {
				t.Errorf("locked twice: %t, %v", ok, err)
			}
			if ok, err := n.TryLock(t.Context(), "y"); !ok || err != nil {
				t.Errorf("another name is not free: %t, %v", ok, err)
			}
			must(t, n.Unlock(t.Context(), "y"))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if err := n.Lock(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting ended with %v", err)
			}
			cancel()
		}
		must(t, b.Unlock(t.Context(), "x")) // b has it not
		if ok, _ := b.TryLock(t.Context(), "x"); ok {
			t.Error("unlocked by another node")
		}
		locked := make(chan error)
		go func() { locked <- b.Lock(t.Context(), "x") }()
		must(t, a.Unlock(t.Context(), "x"))
		must(t, <-locked)
		if ok, _ := a.TryLock(t.Context(), "x"); ok {
			t.Error("free though the other node has it")
		}
		b.Close()
		if ok, err := a.TryLock(t.Context(), "x"); !ok || err != nil {
			t.Errorf("not free after the other node has stopped: %t, %v", ok, err)
		}
	})
}

func TestStorage_TheLockOfANodeThatDiedIsFreeAfterItsTTL(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		short := func(o *Options) { o.LockTTL = 600 * time.Millisecond }
		line := &cut{Store: s}
		dead, b := node(t, line, t.TempDir(), short), node(t, s, t.TempDir(), short)
		must(t, dead.Lock(t.Context(), "x"))
		line.lost.Store(true) // it renews no more
		start := time.Now()
		must(t, b.Lock(t.Context(), "x"))
		if took := time.Since(start); took < 300*time.Millisecond || took > 3*time.Second {
			t.Errorf("got the lock after %v", took)
		}
		sole := node(t, s, t.TempDir(), func(o *Options) { o.Sole = true })
		if ok, err := sole.TryLock(t.Context(), "x"); !ok || err != nil {
			t.Errorf("a node that is alone waits for a dead process: %t, %v", ok, err)
		}
	})
}

func TestStorage_ALockIsHeldLongerThanItsTTL(t *testing.T) {
	s := openStore(t, "")
	short := func(o *Options) { o.LockTTL = 300 * time.Millisecond }
	a, b := node(t, s, t.TempDir(), short), node(t, s, t.TempDir(), short)
	must(t, a.Lock(t.Context(), "x"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := b.Lock(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a lock that is held was given away: %v", err)
	}
}
