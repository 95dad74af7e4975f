package id

import (
	"strings"
	"testing"
	"time"
)

func TestNew_IdsOfOneMomentDiffer(t *testing.T) {
	now := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	seen := make(map[string]bool)
	for range 10_000 {
		id := New(now)
		if seen[id] {
			t.Fatalf("%s twice", id)
		}
		seen[id] = true
		if len(id) != size || strings.Trim(id, "0123456789abcdefghjkmnpqrstvwxyz") != "" {
			t.Fatalf("%q is not %d letters of the alphabet", id, size)
		}
	}
}

func TestNew_IdsSortByTime(t *testing.T) {
	now := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	before := New(now)
	for _, step := range []time.Duration{time.Millisecond, time.Second, time.Hour, 50 * 365 * 24 * time.Hour} {
		now = now.Add(step)
		if after := New(now); after <= before {
			t.Errorf("%s does not come after %s, which is %s older", after, before, step)
		} else {
			before = after
		}
	}
}
