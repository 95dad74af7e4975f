package setting

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/evergate/evergate/internal/cluster/store"
)

// batch is how many versions go into the store in one transaction when many are
// given to it: a database that is far away takes some milliseconds for each.
const batch = 100

// found is what a store is that does not have what this node has seen last.
type found struct {
	store     string
	head      int64
	shared    int          // so many of the recent versions, from the first, are in it at their place
	confirmed confirmation // the last one in it; zero: none
	confirmID string
}

// heal gives a store what it lost: a failover or a restore took its last commits. A
// store with another history is left alone until an operator says what it is. The
// caller holds pulling.
func (s *Service) heal(ctx context.Context) error {
	s.mu.Lock()
	good := s.book.snapshot(s.o.Node, s.o.Clock.Now())
	known := s.book.known[confirmedKey].ID
	s.mu.Unlock()
	f, err := s.compare(ctx, good.Recent)
	if err != nil {
		return err
	}
	if f.shared == 0 && f.store != good.Store {
		if f.confirmed.Was == good.Store && f.confirmID != known {
			s.log.Warn("the store was confirmed on another node", "how", f.confirmed.How)
			return s.believe(ctx, f.confirmed.How)
		}
		s.noteDoubt(f.odd(good))
		return errNotMine
	}
	lost := good.lost(f.shared)
	if err := s.giveBack(ctx, good.place(f), lost, good.Dues); err != nil {
		return fmt.Errorf("give the store back what it lost: %w", err)
	}
	s.log.Warn("the store had lost changes that this node has seen; it got them back", "changes", len(lost), "store_had", f.head, "node_had", good.Rev)
	return s.adopt(ctx)
}

// compare looks how much of recent the store has.
func (s *Service) compare(ctx context.Context, recent []Version) (f found, err error) {
	err = s.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if f.store, f.head, _, err = placeOf(tx, 0); err != nil {
			return err
		}
		// Histories that were one have a common beginning, so halving finds its end.
		f.shared = sort.Search(len(recent), func(i int) bool {
			_, _, at, failed := placeOf(tx, recent[i].Rev)
			if failed != nil {
				err = failed
			}
			return at != recent[i].ID
		})
		if err != nil {
			return err
		}
		f.confirmed, f.confirmID, err = confirmedIn(tx)
		return err
	})
	return f, err
}

// odd says in words what is odd about a store.
func (f found) odd(g *lastGood) string {
	knows := fmt.Sprintf("this node knows %d settings of store %s, up to change %d", len(g.Current), g.Store, g.Rev)
	if f.head == 0 {
		return "the store is empty; " + knows
	}
	return fmt.Sprintf("this is another store, %s, with %d changes; %s", f.store, f.head, knows)
}

// place is the last of what g and a store have in common.
func (g *lastGood) place(f found) position {
	p := position{store: f.store}
	if f.shared > 0 {
		last := g.Recent[f.shared-1]
		p.rev, p.id = last.Rev, last.ID
	}
	return p
}

// lost is what a store lacks that has the first shared ones of the recent versions:
// the others, each on the version before it; and where it has none of them, what is
// current and older too.
func (g *lastGood) lost(shared int) (entries []entry) {
	dues := make(map[string]Due, len(g.Dues))
	for _, d := range g.Dues {
		dues[d.ID] = d
	}
	base := make(map[string]string)
	for _, v := range g.Recent[:shared] {
		base[v.Key] = v.ID
	}
	list := g.everything()
	if shared > 0 {
		list = list[len(list)-len(g.Recent)+shared:]
	}
	for _, v := range list {
		e := entry{Version: &v, Base: base[v.Key], lost: true}
		if d, made := dues[v.ID]; made {
			e.Dues = []Due{d}
		}
		entries = append(entries, e)
		base[v.Key] = v.ID
	}
	return entries
}

// everything is all versions that g has: current ones that are older than the recent
// ones, then those. Only versions before which something is missing have a rev, which
// they keep; the others follow on them.
func (g *lastGood) everything() []Version {
	have := make(map[string]bool, len(g.Recent))
	for _, v := range g.Recent {
		have[v.ID] = true
	}
	var list []Version
	for _, v := range g.Current {
		if !have[v.ID] {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b Version) int { return cmp.Compare(a.Rev, b.Rev) })
	for i, v := range g.Recent {
		if i > 0 {
			v.Rev = 0
		}
		list = append(list, v)
	}
	return list
}

// giveBack writes entries into the store that was seen at to, and then the due changes
// that it lacks.
func (s *Service) giveBack(ctx context.Context, to position, entries []entry, dues []Due) error {
	for len(entries) > 0 {
		n := min(batch, len(entries))
		err := s.writeAt(ctx, to, func(l *ledger) error {
			for _, e := range entries[:n] {
				if err := l.enter(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		entries = entries[n:]
	}
	return s.writeAt(ctx, to, func(l *ledger) error { return l.enterKnown(dues) })
}
