package setting

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/evergate/evergate/internal/cluster/store"
)

// History returns at most limit versions of key with numbers below before, the
// last one first; before 0 is from the last one, and then those in the journal come
// first. whole is false when the store is lost and only what this node remembers is
// there.
func (s *Service) History(ctx context.Context, key string, before int64, limit int) (list []Version, whole bool, err error) {
	limit = max(limit, 0)
	var ours []Version
	if before <= 0 {
		before = math.MaxInt64
		ours = s.journaled(key)
	}
	ctx, cancel := context.WithTimeout(ctx, putLimit)
	defer cancel()
	var recorded []Version
	s.mu.Lock()
	sure := s.doubt == ""
	s.mu.Unlock()
	if sure {
		err = s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
			recorded, err = historyOf(tx, key, before, limit)
			return err
		})
		whole = err == nil
		if err != nil && !away(err) {
			return nil, false, fmt.Errorf("read the history of %s: %w", key, err)
		}
	}
	if !whole {
		recorded = s.remembered(key, before)
	}
	// A change may be in both, if the store took it without saying so in time.
	ours = slices.DeleteFunc(ours, func(v Version) bool {
		return slices.ContainsFunc(recorded, func(r Version) bool { return r.ID == v.ID })
	})
	list = append(ours, recorded...)
	return list[:min(limit, len(list))], whole, nil
}

// journaled returns the versions of key in the journal, the last one first.
func (s *Service) journaled(key string) (list []Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.book.journal) {
		if e.Version != nil && e.Version.Key == key {
			list = append(list, *e.Version)
		}
	}
	return list
}

// remembered returns the versions of key in the store that this node remembers, the
// last one first.
func (s *Service) remembered(key string, before int64) (list []Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, known := s.book.known[key]
	if known && last.Number < before {
		list = append(list, last)
	}
	for _, v := range slices.Backward(s.book.recent) {
		if v.Key == key && v.Number < before && v.ID != last.ID {
			list = append(list, v)
		}
	}
	return list
}
