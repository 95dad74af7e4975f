package setting

import (
	"context"
	"fmt"

	"github.com/evergate/evergate/internal/cluster/store"
)

// position is what a node has seen of a store.
type position struct {
	identity store.Identity // zero: nothing yet
	rev      int64
}

func (s *Service) position() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return position{s.book.identity, s.book.rev}
}

// next takes the number of a change in the store that p was seen in; errNotMine if
// this is another one, or one that lost what p has seen.
func (p position) next(tx *store.Tx) (int64, error) {
	if p.identity.Store != "" {
		var found string
		if err := tx.QueryRow(`SELECT id FROM store_identity WHERE one = 1`).Scan(&found); err != nil {
			return 0, err
		}
		if found != p.identity.Store {
			return 0, errNotMine
		}
	}
	rev, err := nextRev(tx, 0)
	if err == nil && rev <= p.rev {
		err = errNotMine
	}
	return rev, err
}

// news is what one look at the store found.
type news struct {
	identity  store.Identity
	head      int64
	whole     bool // versions is everything that is current, and the last ones of all
	versions  []Version
	current   []Version // with whole only
	dues      []Due
	confirmed confirmation // of a store that took the place of another; zero: none
}

// pull takes over what is new in the store. errNotMine means that the store is
// another one than it was, and waits for Confirm.
func (s *Service) pull(ctx context.Context) error {
	s.pulling.Lock()
	defer s.pulling.Unlock()
	return s.pullLocked(ctx)
}

func (s *Service) pullLocked(ctx context.Context) error {
	known := s.position()
	found, err := s.look(ctx, known)
	if err != nil {
		return err
	}
	switch {
	case known.identity.Store == "":
		s.adopt(found)
	case found.identity.Store != known.identity.Store:
		if found.confirmed.Was == known.identity.Store {
			return s.followConfirmed(ctx, found.confirmed)
		}
		s.noteDoubt(fmt.Sprintf("this node knows %d changes of store %s, and now there is store %s with %d changes",
			known.rev, known.identity.Store, found.identity.Store, found.head))
		return errNotMine
	case found.head < known.rev || found.identity.Timeline != known.identity.Timeline:
		// A failover lost the last commits, perhaps: this node still has them.
		if err := s.push(ctx, false); err != nil {
			return err
		}
		s.log.Warn("the store was behind what this node has seen; what it lacks was written into it again",
			"store_had", found.head, "node_had", known.rev, "timeline", found.identity.Timeline)
		if found, err = s.look(ctx, position{}); err != nil {
			return err
		}
		s.adopt(found)
	case found.head > known.rev:
		s.apply(func(b *book) []Version {
			changed := b.take(found.versions)
			b.rev = max(b.rev, found.head)
			b.replaceDues(found.dues)
			return changed
		})
	}
	s.noteDoubt("")
	return nil
}

// look reads what is new after known; everything for the zero position.
func (s *Service) look(ctx context.Context, known position) (n news, err error) {
	if n.identity, err = s.o.Store.Identity(ctx); err != nil {
		return n, err
	}
	err = s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if n.head, err = headOf(tx); err != nil {
			return err
		}
		if known.identity.Store != "" && n.identity.Store != known.identity.Store {
			n.confirmed, err = confirmedIn(tx)
			return err
		}
		if n.head == known.rev && known.identity.Store != "" {
			return nil
		}
		n.whole = known.identity.Store == ""
		if n.whole {
			if n.current, err = allCurrent(tx); err != nil {
				return err
			}
			n.versions, err = latest(tx, keptVersions)
		} else {
			n.versions, err = since(tx, known.rev)
		}
		if err != nil {
			return err
		}
		n.dues, err = dues(tx)
		return err
	})
	return n, err
}

// adopt takes the store as the truth: what it does not have is gone.
func (s *Service) adopt(n news) {
	s.apply(func(b *book) (changed []Version) {
		before := b.all()
		b.identity, b.rev, b.recent = n.identity, n.head, n.versions
		clear(b.known)
		for _, v := range n.current {
			b.known[v.Key] = v
		}
		b.replaceDues(n.dues)
		had := make(map[string]string, len(before))
		for _, v := range before {
			had[v.Key] = v.ID
		}
		for _, v := range b.all() {
			if had[v.Key] != v.ID {
				changed = append(changed, v)
			}
			delete(had, v.Key)
		}
		for key := range had {
			changed = append(changed, Version{Key: key})
		}
		return changed
	})
}

// noteDoubt notes what is odd about the store, "" for nothing.
func (s *Service) noteDoubt(doubt string) {
	s.mu.Lock()
	was := s.doubt
	s.doubt = doubt
	s.mu.Unlock()
	if doubt != "" && was == "" {
		s.log.Error("the store is another one than it was; it counts as lost until an operator confirms it (evergate store confirm)", "what", doubt)
	}
}
