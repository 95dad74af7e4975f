package framing

import (
	"slices"
	"strings"
	"testing"
)

func TestFraming_RawRequests(t *testing.T) {
	d := newDoor(t)
	groups := []struct {
		name  string
		cases []rawCase
	}{
		{"lengths", lengths}, {"codings", codings}, {"chunking", chunking}, {"lines", lines}, {"targets", targets}, {"hops", hops},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, d) })
			}
		})
	}
}

// run sends the case and judges what came of it.
func (c rawCase) run(t *testing.T, d *door) {
	d.recorder.take()
	answer := d.exchange(t, c.raw+last)
	whole, begun, breaches := d.recorder.take()
	got := statuses(answer)
	fail := func(what string) {
		t.Errorf("%s: the door answered %v; upstream: %d heads, whole %s\n%.400q", what, got, begun, list(whole), answer)
	}
	if what := violation(answer, whole, breaches); what != "" {
		fail(what)
		return
	}
	passed := len(whole) == 2 && whole[1].target == "/last" && slices.Equal(got, []int{200, 200})
	passedOver := len(whole) == 1 && whole[0].target != "/last" && slices.Equal(got, []int{200})
	over := len(got) == 1 && refusal(got[0])
	want := c.want
	if want == either {
		if want = refused; begun > 0 {
			want = broken
		}
		switch {
		case passedOver:
			want = onceOver
		case len(whole) > 0:
			want = once
		}
	}
	switch want {
	case refused:
		if !over || begun > 0 {
			fail("want a refusal and nothing upstream")
		}
	case broken:
		if !over || len(whole) > 0 {
			fail("want a refusal and nothing whole upstream")
		}
	case once:
		if !passed {
			fail("want this request and the last one upstream")
		}
	case firstOnly:
		if len(whole) != 1 || len(got) != 2 || got[0] != 200 || !refusal(got[1]) {
			fail("want one request upstream, then a refusal")
		}
	case onceOver:
		if !passedOver {
			fail("want this request alone upstream, and the end of the connection")
		}
	case ours:
		if len(whole) != 1 || whole[0].target != "/last" || !slices.Equal(got, []int{200, 200}) {
			fail("want an answer of the door's own, and the last one upstream")
		}
	}
	if c.check != nil && len(whole) > 0 {
		if err := c.check(whole[0]); err != nil {
			fail(err.Error())
		}
	}
}

// refusal reports whether status says that a request is refused.
func refusal(status int) bool { return status >= 400 && status < 500 || status == 501 || status == 505 }

// violation says which of the rules was broken that hold for all bytes that a
// visitor may send: upstream everything is well-formed, and each request there
// has its own answer, in order. If one request of the visitor's became two, or
// two of them one, the numbers would show it.
func violation(answer string, whole []*request, breaches []error) string {
	if len(breaches) > 0 {
		return "malformed upstream: " + breaches[0].Error()
	}
	for i, n := range numbers(answer) {
		if n != i+1 || n > len(whole) {
			return "answers were mixed up"
		}
	}
	if len(numbers(answer)) != len(whole) {
		return "a request upstream has no answer of its own"
	}
	for _, q := range whole {
		if strings.Contains(q.target, "smuggled") {
			return "a request was smuggled"
		}
	}
	return ""
}

func list(whole []*request) string {
	var all []string
	for _, q := range whole {
		all = append(all, q.method+" "+q.target)
	}
	return "[" + strings.Join(all, ", ") + "]"
}
