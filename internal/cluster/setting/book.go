package setting

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// The bounds of what a node remembers.
const (
	keptVersions = 1000    // the last ones of all keys
	keptBytes    = 4 << 20 // of their values
	maxDue       = 1000    // that wait
	keptSettled  = 50      // due changes that do not wait any more
)

// book is what a node knows of the settings: what it saw in the store, which is
// what the last-good file holds, and what its journal has on top. Not safe for
// concurrent use.
type book struct {
	store   string             // id of the store that it was seen in; "": none yet
	known   map[string]Version // the last version of each key in the store
	recent  []Version          // the last versions of all keys, in the order of commit
	dues    map[string]Due     // those that wait, and those settled lately
	given   int64              // Seq of the last entry of the journal that the store has
	journal []entry            // what it has not, in the order in which it was made
}

func newBook() *book { return &book{known: make(map[string]Version), dues: make(map[string]Due)} }

// mark is the place in the order of commit up to which the store is known: a rev,
// and the id of the change there. 0 and "": nothing of it is.
func (b *book) mark() (rev int64, id string) {
	if len(b.recent) == 0 {
		return 0, ""
	}
	last := b.recent[len(b.recent)-1]
	return last.Rev, last.ID
}

// has reports whether the store was read at least as far as v, which is in it; of no
// version (Number 0) it is.
func (b *book) has(v Version) bool {
	if v.Number == 0 {
		return true
	}
	for _, seen := range slices.Backward(b.recent) {
		if seen.Rev <= v.Rev {
			return seen.ID == v.ID
		}
	}
	// Older than what is remembered, so it was read long ago.
	rev, _ := b.mark()
	return rev >= v.Rev
}

// take adds versions that the store has, in the order of commit, and returns those
// that change what is in force here.
func (b *book) take(seen []Version) (changed []Version) {
	for _, v := range seen {
		if rev, _ := b.mark(); v.Rev <= rev {
			continue
		}
		b.recent = append(b.recent, v)
		if changes := b.learn(v); changes {
			changed = append(changed, v)
		}
	}
	b.trim()
	return changed
}

// learn takes a version for the last one of its key in the store if it is later than
// the one known, and reports whether that changes what is in force here.
func (b *book) learn(v Version) (changes bool) {
	if v.Number <= b.known[v.Key].Number {
		return false
	}
	before := b.current(v.Key)
	b.known[v.Key] = v
	return before.differs(b.current(v.Key))
}

// trim forgets the oldest versions above the bounds, never the last one.
func (b *book) trim() {
	bytes, first := 0, len(b.recent)
	for first > 0 && len(b.recent)-first < keptVersions {
		bytes += len(b.recent[first-1].Value)
		if bytes > keptBytes && first < len(b.recent) {
			break
		}
		first--
	}
	b.recent = b.recent[first:]
}

// replace takes over all that a store has, in place of everything known before, and
// returns what is in force differently after it.
func (b *book) replace(n news) []Version {
	return b.alter(func() {
		b.store, b.recent = n.store, n.versions
		b.known = make(map[string]Version, len(n.current))
		for _, v := range n.current {
			b.known[v.Key] = v
		}
		b.setDues(n.dues)
		b.trim()
	})
}

// drop forgets the entries of the journal up to seq: they are in the store, which was
// read since.
func (b *book) drop(seq int64) []Version {
	return b.alter(func() {
		b.given = max(b.given, seq)
		n := 0
		for n < len(b.journal) && b.journal[n].Seq <= seq {
			n++
		}
		b.journal = slices.Clone(b.journal[n:])
	})
}

// alter runs change and returns what is in force differently after it, by key; of
// a key that is gone a Version with Number 0.
func (b *book) alter(change func()) (changed []Version) {
	before := b.inForce()
	change()
	after := b.inForce()
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if after[key].differs(before[key]) {
			changed = append(changed, after[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, still := after[key]; !still {
			changed = append(changed, Version{Key: key})
		}
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

// journaled reports whether the journal has something of key.
func (b *book) journaled(key string) bool {
	return slices.ContainsFunc(b.journal, func(e entry) bool {
		return e.Version != nil && e.Version.Key == key || slices.ContainsFunc(e.Dues, func(d Due) bool { return d.Key == key })
	})
}

// inForce returns the version in force of every key.
func (b *book) inForce() map[string]Version {
	all := maps.Clone(b.known)
	for _, e := range b.journal {
		if e.Version != nil {
			all[e.Version.Key] = *e.Version
		}
	}
	return all
}

// all returns the version in force of every key, by key.
func (b *book) all() []Version {
	all := b.inForce()
	list := make([]Version, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[key])
	}
	return list
}

// nextSeq is the number of the journal's next entry.
func (b *book) nextSeq() int64 {
	if n := len(b.journal); n > 0 {
		return b.journal[n-1].Seq + 1
	}
	return b.given + 1
}

// full reports whether the journal has no room for another entry.
func (b *book) full() bool {
	bytes := 0
	for _, e := range b.journal {
		bytes += e.size()
	}
	return len(b.journal) >= maxJournal || bytes >= maxJournalBytes
}

// setDues takes over what the store says of due changes.
func (b *book) setDues(list []Due) {
	b.dues = make(map[string]Due, len(list))
	for _, d := range list {
		b.dues[d.ID] = d
	}
}

// due returns a due change with what the journal says of it.
func (b *book) due(id string) (d Due, ok bool) {
	d, ok = b.dues[id]
	for _, e := range b.journal {
		for _, later := range e.Dues {
			if later.ID == id {
				d, ok = later, true
			}
		}
	}
	return d, ok
}

// allDues returns due changes with what the journal says of them: those that wait,
// the next one first, then those settled lately, the last one first.
func (b *book) allDues() []Due {
	merged := maps.Clone(b.dues)
	for _, e := range b.journal {
		for _, d := range e.Dues {
			merged[d.ID] = d
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

// waiting returns the due changes that wait, the next one first.
func (b *book) waiting() []Due {
	all := b.allDues()
	n := slices.IndexFunc(all, func(d Due) bool { return d.State != Pending })
	if n < 0 {
		return all
	}
	return all[:n]
}

// overdue returns those of them whose time is over at now.
func (b *book) overdue(now time.Time) []Due {
	waiting := b.waiting()
	n := slices.IndexFunc(waiting, func(d Due) bool { return d.At.After(now) })
	if n < 0 {
		return waiting
	}
	return waiting[:n]
}
