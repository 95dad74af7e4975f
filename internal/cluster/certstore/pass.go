package certstore

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

const pruneEvery = 24 * time.Hour

var errNotTrusted = errors.New("the store is lost, or not to be trusted yet")

// compare makes a pass now and then until Close.
func (s *Storage) compare() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	pruned := time.Time{}
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.kick:
		}
		err := s.pass(s.ctx)
		if now := s.o.Clock.Now(); err == nil && now.Sub(pruned) >= pruneEvery {
			pruned = now
			s.note(s.within(s.ctx, s.table.prune))
		}
		timer.Reset(s.o.Poll)
	}
}

// pass takes what is newer to where it is older, in both directions. What one
// file cannot do keeps the others from nothing; a store that is lost ends it.
func (s *Storage) pass(ctx context.Context) error {
	s.passing.Lock()
	defer s.passing.Unlock()
	disk, err := s.exchange(ctx)
	s.note(err)
	s.noteDisk(disk)
	return errors.Join(err, disk)
}

// exchange returns what the disk could not do, and why it ended early.
func (s *Storage) exchange(ctx context.Context) (disk, lost error) {
	local, err := s.disk.scan()
	if err != nil {
		return err, nil
	}
	var stored []file
	lost = s.within(ctx, func(ctx context.Context) (err error) {
		stored, err = s.table.all(ctx)
		return err
	})
	if lost != nil {
		return nil, lost
	}
	for _, remote := range stored {
		if checkKey(remote.key) != nil || s.private(remote.key) {
			continue
		}
		here, is := local[remote.key]
		if is && here.at > remote.at {
			continue // to be brought
		}
		delete(local, remote.key)
		if is && here.at == remote.at && here.deleted == remote.deleted || !is && remote.deleted {
			continue
		}
		_, err, lost := s.take(ctx, remote.key)
		if lost != nil {
			return disk, lost
		}
		disk = errors.Join(disk, err)
	}
	for key, f := range local {
		if s.private(key) || f.at == 0 {
			continue
		}
		err, lost := s.bring(ctx, f)
		if lost != nil {
			return disk, lost
		}
		disk = errors.Join(disk, err)
	}
	return disk, nil
}

// take brings the store's version of key to the disk, and reports whether it
// did. A row that is damaged gets what the disk has.
func (s *Storage) take(ctx context.Context, key string) (taken bool, disk, lost error) {
	var f file
	found := false
	lost = s.within(ctx, func(ctx context.Context) (err error) {
		f, found, err = s.table.get(ctx, key)
		return err
	})
	if errors.Is(lost, errDamaged) {
		return false, nil, s.heal(ctx, key, lost)
	}
	if lost != nil || !found {
		return false, nil, lost
	}
	taken, disk = s.disk.set(f)
	return taken, disk, nil
}

// heal puts the disk's version of key where the store has rubbish.
func (s *Storage) heal(ctx context.Context, key string, damage error) error {
	f, err := s.disk.get(key)
	if err != nil {
		if _, told := s.damaged.LoadOrStore(key, true); !told {
			s.log.Error("a certificate file in the store is damaged, and this node has no copy", "key", key, "err", damage)
		}
		return nil
	}
	s.log.Warn("a certificate file in the store is damaged; it is replaced by the copy on disk", "key", key, "err", damage)
	return s.within(ctx, func(ctx context.Context) error {
		at, err := s.table.put(ctx, f)
		if err != nil {
			return err
		}
		return s.disk.sent(f, at)
	})
}

// bring offers the disk's version of f.key to the store.
func (s *Storage) bring(ctx context.Context, f file) (disk, lost error) {
	if !f.deleted {
		now, err := s.disk.get(f.key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // deleted meanwhile
		}
		if err != nil {
			return err, nil
		}
		f = now
	}
	var at int64
	lost = s.within(ctx, func(ctx context.Context) (err error) {
		at, err = s.table.offer(ctx, f)
		return err
	})
	if lost != nil || at == 0 {
		return nil, lost // 0: another node was later; the next pass takes that
	}
	return s.disk.sent(f, at), nil
}

// send tells the store of a change at once, if it seems to be there; otherwise
// the next pass does.
func (s *Storage) send(ctx context.Context, f file) {
	if s.away() {
		s.soon()
		return
	}
	var at int64
	// Not cancelled with the caller, for whom the disk has changed already.
	lost := s.within(context.WithoutCancel(ctx), func(ctx context.Context) (err error) {
		at, err = s.table.put(ctx, f)
		return err
	})
	s.note(lost)
	if lost != nil {
		s.soon()
		return
	}
	s.noteDisk(s.disk.sent(f, at))
}

// fetch takes key from the store if it seems to be there, and reports whether
// the disk has it then.
func (s *Storage) fetch(ctx context.Context, key string) bool {
	if s.private(key) || s.away() {
		return false
	}
	taken, disk, lost := s.take(ctx, key)
	s.note(lost)
	s.noteDisk(disk)
	return taken && disk == nil
}

// below returns the keys at and below key in the store, as far as it is there.
func (s *Storage) below(ctx context.Context, key string) (keys []string) {
	if s.away() {
		return nil
	}
	s.note(s.within(ctx, func(ctx context.Context) (err error) {
		keys, err = s.table.below(ctx, key)
		return err
	}))
	return keys
}

// catchUp makes a pass if the store seems to be there: what others did before
// they gave a lock back is then on disk.
func (s *Storage) catchUp(ctx context.Context) {
	if !s.away() {
		_ = s.pass(ctx) // noted, and what is on disk serves
	}
}

// within calls fn with the time that a caller waits for the store.
func (s *Storage) within(ctx context.Context, fn func(context.Context) error) error {
	if !s.o.May() {
		return errNotTrusted
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return fn(ctx)
}

// away reports whether the store was not there when last asked. Callers do not
// wait for it then; passes find out when it is back.
func (s *Storage) away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Err != nil
}

func (s *Storage) soon() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// note keeps the outcome of a call to the store, and logs it when it is another
// one than before.
func (s *Storage) note(err error) {
	if err != nil && s.ctx.Err() != nil {
		return // Close
	}
	s.mu.Lock()
	changed := (err == nil) != (s.state.Err == nil)
	if changed {
		s.state.Since = s.o.Clock.Now()
	}
	s.state.Err = err
	s.mu.Unlock()
	switch {
	case !changed:
	case err != nil:
		s.log.Warn("certificates are kept on this node only, until the store is back", "err", err)
	default:
		s.log.Info("certificates are kept in the store again")
	}
}

// noteDisk does so for the disk.
func (s *Storage) noteDisk(err error) {
	s.mu.Lock()
	changed := (err == nil) != (s.state.Disk == nil)
	s.state.Disk = err
	s.mu.Unlock()
	if changed && err != nil {
		s.log.Error("the copy of the certificates on this node's disk is behind; see to the disk", "dir", s.o.Dir, "err", err)
	}
}
