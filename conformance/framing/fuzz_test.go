package framing

import "testing"

// FuzzFraming sends anything. Whatever a visitor sends, what arrives upstream is
// well-formed, and each request there has its own answer.
func FuzzFraming(f *testing.F) {
	for _, cases := range [][]rawCase{lengths, codings, chunking, lines, targets, hops} {
		for _, c := range cases {
			if len(c.raw) < 1<<10 {
				f.Add([]byte(c.raw))
			}
		}
	}
	d := newDoor(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 4<<10 {
			t.Skip("long ones are for the limits")
		}
		d.recorder.take()
		answer := d.exchange(t, string(raw)+last)
		whole, _, breaches := d.recorder.take()
		// A fuzzer may write "smuggled" as the target of an honest request.
		for _, q := range whole {
			q.target = "/"
		}
		if what := violation(answer, whole, breaches); what != "" {
			t.Errorf("%s: sent %q, answered %q, upstream %s", what, raw, answer, list(whole))
		}
	})
}
