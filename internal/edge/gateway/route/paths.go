package route

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

// None is the index that Paths.Find gives when no route fits.
const None = -1

// Paths finds the route of a request within one site. The most specific path
// whose conditions hold wins: an exact path before a prefix, a longer prefix
// before a shorter one; of routes with the same path the one with more
// conditions, then the first. It is immutable.
type Paths struct {
	exact   map[string][]candidate
	prefix  map[string][]candidate // by what stands before "/*"
	lengths []int                  // of the prefixes, longest first, each once
}

// candidate is a route seen from its path.
type candidate struct {
	index   int
	methods []string // nil: all
	match   []condition
}

type condition struct{ name, value string } // value "*": any

// NewPaths compiles the paths and conditions of a site's routes; their order is
// the index that Find returns. The error names the route.
func NewPaths(routes []*config.Route) (*Paths, error) {
	p := &Paths{exact: make(map[string][]candidate), prefix: make(map[string][]candidate)}
	for i, r := range routes {
		c := candidate{index: i}
		for _, m := range r.Methods {
			c.methods = append(c.methods, strings.ToUpper(m))
		}
		for name, value := range r.Match {
			c.match = append(c.match, condition{http.CanonicalHeaderKey(name), value.Reveal()})
		}
		pattern, table := r.Path, p.exact
		if rest, isPrefix := strings.CutSuffix(pattern, "/*"); isPrefix {
			pattern, table = rest, p.prefix
		}
		subject, err := patternSubject(pattern)
		if err != nil {
			return nil, fmt.Errorf("path %s: %w", r.Path, err)
		}
		table[subject] = append(table[subject], c)
	}
	for prefix := range p.prefix {
		if !slices.Contains(p.lengths, len(prefix)) {
			p.lengths = append(p.lengths, len(prefix))
		}
	}
	slices.SortFunc(p.lengths, func(a, b int) int { return b - a })
	for _, table := range []map[string][]candidate{p.exact, p.prefix} {
		for _, candidates := range table {
			slices.SortStableFunc(candidates, func(a, b candidate) int { return b.conditions() - a.conditions() })
		}
	}
	return p, nil
}

// patternSubject brings the path of the configuration to the form of Subject.
func patternSubject(pattern string) (string, error) {
	if pattern == "" { // of "/*"
		return "", nil
	}
	if strings.ContainsAny(pattern, "*?#;") {
		return "", pathError("a path is \"/exact\" or \"/prefix/*\"")
	}
	normal, err := Path(pattern)
	if err != nil {
		return "", err
	}
	return Subject(normal), nil
}

func (c *candidate) conditions() int {
	n := len(c.match)
	if c.methods != nil {
		n++
	}
	return n
}

// Find returns the index of the route for a path in the form of Subject, or None.
// It allocates nothing.
func (p *Paths) Find(subject, method string, header http.Header) int {
	if i := pick(p.exact[subject], method, header); i != None {
		return i
	}
	for _, n := range p.lengths {
		if candidates := p.under(subject, n); candidates != nil {
			if i := pick(candidates, method, header); i != None {
				return i
			}
		}
	}
	return None
}

// under returns the candidates of the prefix of length n, if subject is it or is below it.
func (p *Paths) under(subject string, n int) []candidate {
	if n > len(subject) || n < len(subject) && subject[n] != '/' {
		return nil
	}
	return p.prefix[subject[:n]]
}

// Allowed returns the methods with which Find would have found a route, for the
// Allow field of a 405; nil if no method would.
func (p *Paths) Allowed(subject string, header http.Header) []string {
	var methods []string
	collect := func(candidates []candidate) {
		for _, c := range candidates {
			if c.holds(header) {
				methods = append(methods, c.methods...)
				if slices.Contains(c.methods, http.MethodGet) {
					methods = append(methods, http.MethodHead)
				}
			}
		}
	}
	collect(p.exact[subject])
	for _, n := range p.lengths {
		collect(p.under(subject, n))
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

func pick(candidates []candidate, method string, header http.Header) int {
	for i := range candidates {
		if c := &candidates[i]; c.accepts(method) && c.holds(header) {
			return c.index
		}
	}
	return None
}

// accepts lets HEAD pass where GET does (RFC 9110 section 9.3.2).
func (c *candidate) accepts(method string) bool {
	return c.methods == nil || slices.Contains(c.methods, method) ||
		method == http.MethodHead && slices.Contains(c.methods, http.MethodGet)
}

func (c *candidate) holds(header http.Header) bool {
	for _, m := range c.match {
		values := header[m.name]
		if m.value == "*" && len(values) > 0 {
			continue
		}
		if !slices.Contains(values, m.value) {
			return false
		}
	}
	return true
}
