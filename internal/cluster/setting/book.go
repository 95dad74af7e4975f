package setting

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
)

// The bounds of what a node remembers.
const (
	keptVersions = 1000 // the last ones of all keys
	maxDue       = 1000 // that wait
	keptSettled  = 50   // due changes that do not wait any more
	maxJournal   = 10000
)

// book is what a node knows of the settings: what it saw in the store, and what
// its journal has on top. It is what the last-good file holds. Not safe for
// concurrent use.
type book struct {
	identity store.Identity     // of the store that it was seen in; zero: none yet
	rev      int64              // of the last change seen
	known    map[string]Version // the last version of each key in the store
	recent   []Version          // the last keptVersions versions, in the order of commit
	dues     map[string]Due     // those that wait, and those settled lately
	journal  []entry            // in the order in which they were made
}

func newBook() *book { return &book{known: make(map[string]Version), dues: make(map[string]Due)} }

// take adds versions that the store has, in the order of commit, and returns those
// that change what is in force here.
func (b *book) take(seen []Version) (changed []Version) {
	for _, v := range seen {
		if v.Rev <= b.rev && b.known[v.Key].Number >= v.Number {
			continue
		}
		b.rev = max(b.rev, v.Rev)
		if b.known[v.Key].Number < v.Number {
			before := b.current(v.Key)
			b.known[v.Key] = v
			if now := b.current(v.Key); now.ID != before.ID {
				changed = append(changed, now)
			}
		}
		b.recent = append(b.recent, v)
	}
	if n := len(b.recent) - keptVersions; n > 0 {
		b.recent = slices.Delete(b.recent, 0, n)
	}
	return changed
}

// current is the version of key in force: the journal's, if it has one. Number 0:
// there is none.
func (b *book) current(key string) Version {
	for _, e := range slices.Backward(b.journal) {
		if e.Version != nil && e.Version.Key == key {
			return *e.Version
		}
	}
	if v, ok := b.known[key]; ok {
		return v
	}
	return Version{Key: key}
}

// all returns the version in force of every key, by key.
func (b *book) all() []Version {
	keys := make(map[string]bool, len(b.known))
	for key := range b.known {
		keys[key] = true
	}
	for _, e := range b.journal {
		if e.Version != nil {
			keys[e.Version.Key] = true
		}
	}
	versions := make([]Version, 0, len(keys))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		versions = append(versions, b.current(key))
	}
	return versions
}

// replaceDues takes over what the store says of due changes.
func (b *book) replaceDues(list []Due) {
	b.dues = make(map[string]Due, len(list))
	for _, d := range list {
		b.dues[d.ID] = d
	}
}

// allDues returns due changes with what the journal says of them: those that wait,
// the next one first, then those settled lately, the last one first.
func (b *book) allDues() []Due {
	merged := maps.Clone(b.dues)
	for _, e := range b.journal {
		if e.Due != nil {
			merged[e.Due.ID] = *e.Due
		}
	}
	list := slices.Collect(maps.Values(merged))
	slices.SortFunc(list, func(a, c Due) int {
		if (a.State == Pending) != (c.State == Pending) {
			if a.State == Pending {
				return -1
			}
			return 1
		}
		if a.State == Pending {
			return cmp.Or(a.At.Compare(c.At), cmp.Compare(a.ID, c.ID))
		}
		return cmp.Or(c.Settled.Compare(a.Settled), cmp.Compare(a.ID, c.ID))
	})
	return list
}

// pending counts the due changes that wait, and those of them whose time is over
// at now.
func (b *book) pending(now time.Time) (waiting, over int) {
	for _, d := range b.allDues() {
		if d.State != Pending {
			break // they come first
		}
		waiting++
		if !d.At.After(now) {
			over++
		}
	}
	return waiting, over
}

// takeAlone adds what this node itself has committed, while what was committed
// before it is not known yet: the position stays, so that it is read later.
func (b *book) takeAlone(r Result) (changed []Version) {
	if v := r.Version; v.Rev > b.rev && v.Number > b.known[v.Key].Number {
		b.known[v.Key] = v
		if b.current(v.Key).ID == v.ID {
			changed = append(changed, v)
		}
	}
	if r.Due != nil {
		b.dues[r.Due.ID] = *r.Due
	}
	return changed
}
