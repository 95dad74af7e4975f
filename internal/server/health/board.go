// Package health is the board of conditions: everything that is watched in this
// node, by a name that never changes, with how bad it is, since when, and what to
// do about it (design, promise 8: failing parts say so by name).
package health

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// Finding is what a check found.
type Finding struct {
	Name     string
	Severity api.Severity
	Summary  string // one sentence
	Detail   string // what is behind it, and what to do; "" if all is well
}

// Board keeps the conditions and tells when one changes. Safe for concurrent use.
type Board struct {
	changed func(api.Condition) // after a change of severity, without locks held

	mu   sync.Mutex
	list map[string]api.Condition // by name
}

// NewBoard returns an empty board. changed is called when a condition gets another
// severity, also when it is found bad the first time; nil: nobody wants to know.
func NewBoard(changed func(api.Condition)) *Board {
	return &Board{changed: changed, list: make(map[string]api.Condition)}
}

// Update takes over all that is found at now. A condition that is no longer found
// is forgotten.
func (b *Board) Update(now time.Time, findings []Finding) {
	var changes []api.Condition
	b.mu.Lock()
	next := make(map[string]api.Condition, len(findings))
	for _, f := range findings {
		c := api.Condition{Name: f.Name, Severity: f.Severity, Since: now, Summary: f.Summary, Detail: f.Detail}
		was, known := b.list[f.Name]
		if known && was.Severity == f.Severity {
			c.Since = was.Since
		} else if known || f.Severity != api.OK {
			changes = append(changes, c)
		}
		next[f.Name] = c
	}
	for name, was := range b.list {
		if _, still := next[name]; !still && was.Severity != api.OK {
			changes = append(changes, api.Condition{Name: name, Severity: api.OK, Since: now, Summary: "is over"})
		}
	}
	b.list = next
	b.mu.Unlock()
	if b.changed == nil {
		return
	}
	slices.SortFunc(changes, worstFirst)
	for _, c := range changes {
		b.changed(c)
	}
}

// Conditions returns all of them, the worst first, then by name.
func (b *Board) Conditions() []api.Condition {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]api.Condition, 0, len(b.list))
	for _, c := range b.list {
		all = append(all, c)
	}
	slices.SortFunc(all, worstFirst)
	return all
}

func worstFirst(a, b api.Condition) int {
	return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(a.Name, b.Name))
}

func rank(s api.Severity) int {
	switch s {
	case api.Failing:
		return 0
	case api.Warning:
		return 1
	}
	return 2
}
