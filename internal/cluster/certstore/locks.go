package certstore

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/cluster/lease"
)

// retryLock is how often a lock that another node has is looked at.
const retryLock = time.Second

// locks are certmagic's: excluding within the process by a slot each, and
// between nodes by a lease each.
type locks struct {
	storage *Storage

	mu    sync.Mutex // guards names
	names map[string]*nameLock
}

// nameLock is the lock of one name. They are as many as certificates, and stay.
type nameLock struct {
	slot    chan struct{} // full while held; guards the fields below
	elector *lease.Elector
	tenure  *lease.Tenure // nil: held on this node only
}

func newLocks(s *Storage) *locks { return &locks{storage: s, names: map[string]*nameLock{}} }

func (l *locks) named(name string) (*nameLock, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.names[name]; n != nil {
		return n, nil
	}
	o := l.storage.o
	e, err := lease.New(lease.Options{
		Store: o.Store, Name: "cert/" + name, Holder: o.Holder, Sole: o.Sole, May: o.May, Log: o.Log,
		TTL: o.LockTTL, Renew: o.LockTTL / 3, Margin: o.LockTTL / 5,
	})
	if err != nil {
		return nil, err
	}
	n := &nameLock{slot: make(chan struct{}, 1), elector: e}
	l.names[name] = n
	return n, nil
}

func (l *locks) lock(ctx context.Context, name string) error {
	n, err := l.named(name)
	if err != nil {
		return err
	}
	select {
	case n.slot <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	wake, stop := l.storage.o.Store.Listen(lease.Channel)
	defer stop()
	for {
		got, err := l.elect(ctx, name, n)
		if got {
			return nil
		}
		if err != nil {
			<-n.slot
			return err
		}
		timer := time.NewTimer(retryLock)
		select {
		case <-timer.C:
		case <-wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func (l *locks) try(ctx context.Context, name string) (bool, error) {
	n, err := l.named(name)
	if err != nil {
		return false, err
	}
	select {
	case n.slot <- struct{}{}:
	default:
		return false, ctx.Err()
	}
	got, err := l.elect(ctx, name, n)
	if !got {
		<-n.slot
	}
	return got, err
}

// elect makes one attempt at the lease of a name whose slot the caller has. A
// store that is lost excludes nobody. Errors: that of ctx.
func (l *locks) elect(ctx context.Context, name string, n *nameLock) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	n.tenure = nil
	if l.storage.away() || !l.storage.o.May() {
		return true, nil
	}
	var tenure *lease.Tenure
	err := l.storage.within(ctx, func(ctx context.Context) (err error) {
		tenure, err = n.elector.Try(ctx)
		return err
	})
	switch {
	case tenure != nil:
		n.tenure = tenure
		return true, nil
	case err == nil:
		return false, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	}
	l.storage.log.Warn("a lock of certificates holds on this node only, as the store is lost", "lock", name, "err", err)
	l.storage.note(err)
	return true, nil
}

// unlock gives the lock back, to the other nodes first.
func (l *locks) unlock(ctx context.Context, name string) {
	l.mu.Lock()
	n := l.names[name]
	l.mu.Unlock()
	if n == nil || len(n.slot) == 0 {
		return
	}
	if n.tenure != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.storage.o.Timeout)
		defer cancel()
		if err := n.tenure.Resign(ctx); err != nil {
			l.storage.log.Warn("a lock of certificates could not be given back, so others wait until it expires", "lock", name, "err", err)
		}
		n.tenure = nil
	}
	<-n.slot
}

// close gives back whatever is held.
func (l *locks) close() {
	l.mu.Lock()
	names := slices.Collect(maps.Keys(l.names))
	l.mu.Unlock()
	for _, name := range names {
		l.unlock(context.Background(), name)
	}
}
