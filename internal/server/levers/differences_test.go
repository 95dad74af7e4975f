package levers

import (
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/setting"
)

func TestDifferences(t *testing.T) {
	const limit = "origins.booking.max_in_flight"
	const anna = "(by anna, 2026-11-25 07:00:00 UTC: too many bookings)"
	changed := strings.Replace(shop, "max_in_flight: 200", "max_in_flight: 300", 1)
	tests := []struct {
		name    string
		before  string // "": there was no configuration before
		current []setting.Version
		want    []string
	}{
		{"nothing, of levers that nobody turned", "", nil, nil},
		{"nothing, of one that was reset", "", []setting.Version{turned(limit, "", 0)}, nil},
		{"nothing, of one that says what the file says", shop, []setting.Version{turned(limit, "200", 0)}, nil},
		{"nothing, of settings that are no levers", shop, []setting.Version{turned("tokens[a]", "{}", 0)}, nil},
		{
			"a lever that overrides the file", shop, []setting.Version{turned(limit, "100", 0)},
			[]string{limit + " is 100 " + anna + ": the file says 200."},
		},
		{"another value in the file", changed, nil, []string{limit + " is 200 now: the file said 300 before."}},
		{
			"another value in the file that a lever overrides", changed, []setting.Version{turned(limit, "100", 0)},
			[]string{limit + " stays 100 " + anna + ": the file says 200 now, and said 300 before. Reset it to follow the file."},
		},
		{
			"a file that now says what the lever says", changed, []setting.Version{turned(limit, "200", 0)},
			[]string{limit + " stays 200 " + anna + ": the file says 200 now too, and said 300 before."},
		},
		{
			"a value that this version does not take", "", []setting.Version{turned("log.level", `"loud"`, 0)},
			[]string{"log.level: loud will not do any more " + anna + "; the file's warn is in use. Set it anew or reset it."},
		},
		{
			"levers of what the file does not have, last", "",
			[]setting.Version{turned("origins.gone.paused", "true", 0), turned("sites[gone.test].maintenance", "", 0), turned(limit, "100", 0)},
			[]string{
				limit + " is 100 " + anna + ": the file says 200.",
				"origins.gone.paused is true " + anna + ", but the file has no such origin: it does nothing until one comes back. Reset it if none will.",
			},
		},
	}
	file := load(t, shop)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Differences(file, nil, tt.current)
			if tt.before != "" {
				got = Differences(file, load(t, tt.before), tt.current)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
