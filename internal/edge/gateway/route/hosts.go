package route

import (
	"fmt"
	"strings"
)

// Hosts finds what belongs to a host name: by the name itself, else by "*." and
// all but its first label, else by "*". The zero value is empty. Add everything
// first; Find is then safe for concurrent use.
type Hosts[T any] struct {
	exact    map[string]T
	wildcard map[string]T // by what follows "*."
	all      T
	hasAll   bool
}

// Add registers value for pattern: a host name in any form, "*.name" or "*".
// It is an error to register a pattern twice.
func (h *Hosts[T]) Add(pattern string, value T) error {
	if pattern == "*" {
		if h.hasAll {
			return fmt.Errorf("host *: there twice")
		}
		h.all, h.hasAll = value, true
		return nil
	}
	name, wild := strings.CutPrefix(pattern, "*.")
	name, port, err := Host(name)
	if err != nil || port != "" {
		return fmt.Errorf("host %s: not a host name", pattern)
	}
	table := &h.exact
	if wild {
		table = &h.wildcard
	}
	if *table == nil {
		*table = make(map[string]T)
	}
	if _, twice := (*table)[name]; twice {
		return fmt.Errorf("host %s: there twice", pattern)
	}
	(*table)[name] = value
	return nil
}

// Find returns what belongs to a host in normal form.
func (h *Hosts[T]) Find(host string) (value T, ok bool) {
	if value, ok = h.exact[host]; ok {
		return value, true
	}
	if h.wildcard != nil {
		if i := strings.IndexByte(host, '.'); i > 0 {
			if value, ok = h.wildcard[host[i+1:]]; ok {
				return value, true
			}
		}
	}
	return h.all, h.hasAll
}
