package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or risky, in a file. It is an error.
type Problem struct {
	File    string
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1
	Path    string // such as origins.booking.servers[0].weight, "" for the file as a whole
	Message string // what is wrong and what to do
}

// String is "file:line:column: path: message", without what is not known.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Message)
	return b.String()
}

func (p Problem) Error() string { return p.String() }

// Warning is a risk that the operator may take: the file is good.
type Warning = Problem

// Problems is the error of a file that cannot be used: everything that is
// wrong with it, in the order of the lines.
type Problems struct {
	List []Problem // at least one
}

// Error is one line for each problem.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, one := range p.List {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As and errors.Is each Problem.
func (p *Problems) Unwrap() []error {
	all := make([]error, len(p.List))
	for i, one := range p.List {
		all[i] = one
	}
	return all
}

// sortProblems orders by line, and never depends on the order of a Go map.
func sortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
}

// place is where something stands in a file.
type place struct{ line, column int }

// parent is the path of the block around path, "" at the top.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}
