package header

import (
	"net/http"
	"slices"

	"github.com/evergate/evergate/internal/config"
)

// Change is what a configuration does to a header: it removes, then sets, then
// adds. It is immutable. The nil Change does nothing.
type Change struct {
	remove []string
	set    []field
	add    []field
}

type field struct {
	name  string
	value []string // one, shared; an append to it makes a new slice
}

// NewChange compiles changes, to be applied one after the other. It returns nil
// if there is nothing to do.
func NewChange(c config.HeaderChange) *Change {
	if len(c.Remove)+len(c.Set)+len(c.Add) == 0 {
		return nil
	}
	change := &Change{set: fields(c.Set), add: fields(c.Add)}
	for _, name := range c.Remove {
		change.remove = append(change.remove, http.CanonicalHeaderKey(name))
	}
	return change
}

func fields(m map[string]config.HeaderValue) []field {
	var all []field
	for name, value := range m {
		all = append(all, field{http.CanonicalHeaderKey(name), []string{value.Reveal()}[:1:1]})
	}
	slices.SortFunc(all, func(a, b field) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return all
}

// Apply changes h.
func (c *Change) Apply(h http.Header) {
	if c == nil {
		return
	}
	for _, name := range c.remove {
		delete(h, name)
	}
	for i := range c.set {
		h[c.set[i].name] = c.set[i].value
	}
	for i := range c.add {
		f := &c.add[i]
		h[f.name] = append(h[f.name], f.value[0])
	}
}
