package setting

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Registry holds the declarations of all levers. It is immutable and safe for
// concurrent use.
type Registry struct {
	levers   []Lever
	patterns []*regexp.Regexp // of the lever at the same place; a group for each argument
}

// placeholder is a part of a pattern that stands for a name.
var placeholder = regexp.MustCompile(`[A-Z]+`)

// NewRegistry returns a registry of these levers. It panics for two of the same
// pattern, a mistake of the program.
func NewRegistry(levers ...Lever) *Registry {
	r := &Registry{levers: levers}
	seen := make(map[string]bool, len(levers))
	for _, l := range levers {
		if seen[l.Pattern] {
			panic("setting: two levers " + l.Pattern)
		}
		seen[l.Pattern] = true
		// In brackets a name ends with the bracket, else it may hold dots: what follows
		// it in the pattern says where it ends.
		quoted := regexp.QuoteMeta(l.Pattern)
		quoted = strings.ReplaceAll(quoted, `\[ADDR\]`, `\[(.+)\]`)
		quoted = strings.ReplaceAll(quoted, `\[HOST\]`, `\[(.+)\]`)
		quoted = placeholder.ReplaceAllString(quoted, `(.+?)`)
		r.patterns = append(r.patterns, regexp.MustCompile(`^`+quoted+`$`))
	}
	return r
}

// Levers returns the declarations, in the order in which they were given. The
// slice is the registry's.
func (r *Registry) Levers() []Lever { return r.levers }

// Find returns the declaration that fits name, with the names that stand for the
// capitals of its pattern, in order. Whether there is such an origin, server or site
// it does not know.
func (r *Registry) Find(name string) (l Lever, args []string, ok bool) {
	for i, pattern := range r.patterns {
		if m := pattern.FindStringSubmatch(name); m != nil {
			return r.levers[i], m[1:], true
		}
	}
	return Lever{}, nil, false
}

// Name is the name of one lever: the pattern of l with args in place of its capitals.
func (l Lever) Name(args ...string) string {
	i := 0
	return placeholder.ReplaceAllStringFunc(l.Pattern, func(string) string {
		i++
		return args[i-1]
	})
}

// Parse makes a value for the lever called name of what somebody typed. Errors:
// *UnknownKeyError, *ValueError.
func (r *Registry) Parse(name, text string) (json.RawMessage, error) {
	l, _, ok := r.Find(name)
	if !ok {
		return nil, &UnknownKeyError{Key: name}
	}
	return l.Parse(text)
}

// Check says what is wrong with a value for the lever called name. Errors:
// *UnknownKeyError, *ValueError.
func (r *Registry) Check(name string, value json.RawMessage) error {
	l, _, ok := r.Find(name)
	if !ok {
		return &UnknownKeyError{Key: name}
	}
	if err := l.Check(value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
