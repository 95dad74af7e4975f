package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// name is a test of a package; an empty test is the package itself.
type name struct{ pkg, test string }

// report follows the events of one or more runs of go test.
type report struct {
	out     io.Writer
	pending map[name][]string // output of tests and packages that have not ended
	passed  int
	failed  []name
	skipped []skip
}

// skip is a test that did not run.
type skip struct {
	name
	reason string
}

// missingPart reports whether the test was skipped because something is not
// installed here: such reasons begin with "needs".
func (s skip) missingPart() bool { return strings.HasPrefix(s.reason, "needs ") }

func newReport(out io.Writer) *report {
	return &report{out: out, pending: make(map[name][]string)}
}

// read follows r to its end. Lines that are no events are shown as they are.
func (r *report) read(in io.Reader) {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err != nil {
			return
		}
	}
}

func (r *report) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		fmt.Fprint(r.out, line)
		return
	}
	who := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if e.Test == "" && resultLine(e.Output) {
			fmt.Fprint(r.out, e.Output)
			return
		}
		r.pending[who] = append(r.pending[who], e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		delete(r.pending, who)
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, skip{who, reason(r.pending[who])})
		}
		delete(r.pending, who)
	case "fail":
		r.failed = append(r.failed, who)
		r.show(who)
		if e.Test == "" {
			r.showRest(e.Package)
		}
	}
}

// show prints what a failed test or package had to say.
func (r *report) show(who name) {
	for _, text := range r.pending[who] {
		fmt.Fprint(r.out, text)
	}
	delete(r.pending, who)
}

// showRest prints the output of tests that never ended, as when a panic or the
// time limit took the whole package down.
func (r *report) showRest(pkg string) {
	for who := range r.pending {
		if who.pkg == pkg {
			r.show(who)
		}
	}
}

// resultLine reports whether text is the one line with which go test ends a package.
func resultLine(text string) bool {
	return strings.HasPrefix(text, "ok  \t") || strings.HasPrefix(text, "FAIL\t") || strings.HasPrefix(text, "?   \t")
}

// reason finds the words of t.Skip in a test's output, which go test writes as
// "    file_test.go:12: words".
func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		text := strings.TrimSpace(output[i])
		file, words, found := strings.Cut(text, ": ")
		if found && strings.Contains(file, ".go:") {
			return words
		}
	}
	return "no reason given"
}

// summary prints the end of the report and reports whether all is well.
func (r *report) summary(took time.Duration, requireAll bool) bool {
	var missing, other []skip
	for _, s := range r.skipped {
		if s.missingPart() {
			missing = append(missing, s)
		} else {
			other = append(other, s)
		}
	}
	tests := 0
	for _, who := range r.failed {
		if who.test != "" {
			tests++
		}
	}
	fmt.Fprintf(r.out, "\n== %d passed, %d failed, %d skipped in %s\n", r.passed, tests, len(r.skipped), took.Round(time.Second))
	r.list("skipped, because a part is missing on this machine", missing)
	r.list("skipped for other reasons", other)
	for _, who := range r.failed {
		fmt.Fprintf(r.out, "   FAILED %s %s\n", who.pkg, who.test)
	}
	if requireAll && len(missing) > 0 {
		fmt.Fprintln(r.out, "== EVERGATE_REQUIRE=all: a missing part is a failure")
		return false
	}
	return len(r.failed) == 0 && r.passed > 0
}

func (r *report) list(title string, skips []skip) {
	if len(skips) == 0 {
		return
	}
	fmt.Fprintf(r.out, "   %s:\n", title)
	for _, s := range skips {
		fmt.Fprintf(r.out, "     %s %s: %s\n", s.pkg, s.test, s.reason)
	}
}
