package setting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// pullAtOnce is how many new versions are taken over one by one. Of more than that,
// as after a long sleep, the last ones and what is current are read.
const pullAtOnce = keptVersions

// errForked says that the store does not have the last change that this node saw in
// one, at its place.
var errForked = errors.New("the store does not have what this node has seen")

// news is what one look at the store found.
type news struct {
	store    string
	head     int64
	whole    bool      // current is everything, in place of what was known
	current  []Version // by key; with whole only
	versions []Version // new ones, or with whole the last ones, in the order of commit
	dues     []Due
	dueNews  bool  // they are not what was known
	lostDues []Due // what was known of due changes and the store lost
}

// pull takes over what is new in the store, after giving back what it lost. errNotMine
// means that it is another one than it was, and waits for Confirm.
func (s *Service) pull(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pullLimit)
	defer cancel()
	if err := s.pulling.lock(ctx); err != nil {
		return err
	}
	defer s.pulling.unlock()
	return s.pullLocked(ctx)
}

func (s *Service) pullLocked(ctx context.Context) error {
	n, err := s.look(ctx, false)
	if errors.Is(err, errForked) {
		return s.heal(ctx)
	}
	if err != nil {
		return err
	}
	if len(n.lostDues) > 0 {
		if err := s.write(ctx, func(l *ledger) error { return l.enterKnown(n.lostDues) }); err != nil {
			return fmt.Errorf("give the store back what waits for its time: %w", err)
		}
		s.log.Warn("the store had lost what this node knows of changes that wait for their time; it got that back", "changes", len(n.lostDues))
		if n, err = s.look(ctx, false); err != nil {
			return err
		}
	}
	s.takeNews(n)
	s.noteDoubt("")
	return nil
}

// adopt takes the store as the truth: what it does not have is gone. The caller holds
// pulling.
func (s *Service) adopt(ctx context.Context) error {
	n, err := s.look(ctx, true)
	if err != nil {
		return err
	}
	s.takeNews(n)
	s.noteDoubt("")
	return nil
}

// look reads what is new, in one moment of the store; everything if whole or if
// nothing is known yet.
func (s *Service) look(ctx context.Context, whole bool) (news, error) {
	s.mu.Lock()
	rev, id := s.book.mark()
	knownAs := s.book.store
	s.mu.Unlock()
	var n news
	err := s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		n = news{}
		var at string
		if n.store, n.head, at, err = placeOf(tx, rev); err != nil {
			return err
		}
		if !whole && at != id {
			return errForked
		}
		n.whole = whole || n.head-rev > pullAtOnce || rev == 0 && n.store != knownAs
		if n.whole {
			if n.current, err = allCurrent(tx); err != nil {
				return err
			}
			n.versions, err = latest(tx, keptVersions)
		} else if n.head > rev {
			n.versions, err = since(tx, rev)
		}
		if err != nil {
			return err
		}
		if err := s.lookAtDues(tx, &n); err != nil || whole || n.store != knownAs {
			return err
		}
		n.lostDues, err = s.lostDues(tx, n.dues)
		return err
	})
	return n, err
}

// lookAtDues reads those that wait, and those settled lately where they may be others
// than before.
func (s *Service) lookAtDues(tx *store.Tx, n *news) (err error) {
	if n.dues, err = waitingDues(tx); err != nil {
		return err
	}
	last, err := settledLast(tx)
	if err != nil || !n.whole && s.sameDues(n.dues, last) {
		return err
	}
	settled, err := settledDues(tx)
	n.dues, n.dueNews = append(n.dues, settled...), true
	return err
}

// sameDues reports whether list is what the store was known to have waiting, and last
// when one was settled last.
func (s *Service) sameDues(list []Due, last time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, known := 0, time.Time{}
	for _, d := range s.book.dues {
		if d.State == Pending {
			waiting++
		} else if d.Settled.After(known) {
			known = d.Settled
		}
	}
	for _, d := range list {
		if !d.same(s.book.dues[d.ID]) {
			return false
		}
	}
	return waiting == len(list) && known.Equal(last)
}

// lostDues returns what this node knows of due changes and a store with waiting has
// lost: rows are never deleted, and nothing waits again.
func (s *Service) lostDues(tx *store.Tx, waiting []Due) (lost []Due, err error) {
	has := make(map[string]bool, len(waiting))
	for _, d := range waiting {
		has[d.ID] = d.State == Pending
	}
	s.mu.Lock()
	var odd []Due
	for id, d := range s.book.dues {
		if has[id] != (d.State == Pending) {
			odd = append(odd, d)
		}
	}
	s.mu.Unlock()
	for _, d := range odd {
		known := true
		if d.State == Pending {
			if _, known, err = dueOf(tx, d.ID); err != nil {
				return nil, err
			}
		}
		if !known || d.State != Pending {
			lost = append(lost, d)
		}
	}
	return lost, nil
}

// takeNews makes what was found what this node knows and acts on. The caller holds
// pulling.
func (s *Service) takeNews(n news) {
	if s.position().store == n.store && !n.whole && len(n.versions) == 0 && !n.dueNews {
		return
	}
	s.apply(func(b *book) []Version {
		if n.whole {
			return b.replace(n)
		}
		b.store = n.store
		if n.dueNews {
			b.setDues(n.dues)
		}
		return b.take(n.versions)
	})
	s.saver.ask()
}
