package api

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	names := []string{"origins.booking.max_in_flight", "origins.booking.paused", "origins.billing.paused", "log.level", "sites[book.example.org].maintenance"}
	tests := []struct {
		name, typed string
		want        []string
	}{
		{"a letter too few", "origins.booking.pausd", []string{"origins.booking.paused", "origins.billing.paused"}},
		{"other letters", "LOG.LEVEL", []string{"log.level"}},
		{"a part of a name", "max_in_flight", []string{"origins.booking.max_in_flight"}},
		{"something else", "zone", nil},
		{"nothing", "", nil},
		{"far too much", strings.Repeat("log.level", 100), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Nearest(tt.typed, names); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDistance_IsTheSameBothWaysAndNoLongerThanAWayRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab]{0,8}`)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		const most = 20
		ab, ba := distance(a, b, most), distance(b, a, most)
		if ab != ba || (ab == 0) != (a == b) || ab > distance(a, c, most)+distance(c, b, most) {
			t.Fatalf("from %q to %q it is %d, back %d", a, b, ab, ba)
		}
		if near := distance(a, b, 2); near != min(ab, 3) {
			t.Fatalf("from %q to %q it is %d, and with at most 2 it is %d", a, b, ab, near)
		}
	})
}
