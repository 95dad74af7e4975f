package health

import (
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

func TestBoard_TellsOfEachChangeOnceAndKeepsSinceWhen(t *testing.T) {
	var told []api.Condition
	b := NewBoard(func(c api.Condition) { told = append(told, c) })
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	well := Finding{Name: "store", Severity: api.OK, Summary: "answers"}
	lost := Finding{Name: "store", Severity: api.Failing, Summary: "does not answer"}
	low := Finding{Name: "origin app", Severity: api.Warning, Summary: "1 of 2"}

	steps := []struct {
		name     string
		at       int64
		findings []Finding
		told     int // in this step
		first    string
		since    int64 // of the first
	}{
		{"all is well at first, which is no news", 1, []Finding{well}, 0, "store", 1},
		{"bad news", 2, []Finding{well, low}, 1, "origin app", 2},
		{"worse news come first", 3, []Finding{lost, low}, 1, "store", 3},
		{"no news", 4, []Finding{lost, low}, 0, "store", 3},
		{"a condition that is no longer looked for is over", 5, []Finding{lost}, 1, "store", 3},
		{"good news", 6, []Finding{well}, 1, "store", 6},
	}
	for _, s := range steps {
		told = nil
		b.Update(at(s.at), s.findings)
		if len(told) != s.told {
			t.Errorf("%s: told %v, want %d", s.name, told, s.told)
		}
		got := b.Conditions()
		if len(got) != len(s.findings) || got[0].Name != s.first || !got[0].Since.Equal(at(s.since)) {
			t.Errorf("%s: %v, want %s first, since %d", s.name, got, s.first, s.since)
		}
	}
}
