package levers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/cluster/setting"
)

// recorder notes what is turned, and fails at what it is told to.
type recorder struct {
	calls []string
	fails string // a call that fails
}

var errBroken = errors.New("broken")

func (r *recorder) note(words ...any) error {
	call := strings.TrimSuffix(fmt.Sprintln(words...), "\n")
	r.calls = append(r.calls, call)
	if call == r.fails {
		return errBroken
	}
	return nil
}

func (r *recorder) target() Target { return Target{Origins: r, Sites: r, Log: r} }

func (r *recorder) SetPaused(origin string, on bool) error    { return r.note("paused", origin, on) }
func (r *recorder) SetMaxInFlight(origin string, n int) error { return r.note("limit", origin, n) }
func (r *recorder) SetRetryAttempts(origin string, n int) error {
	return r.note("attempts", origin, n)
}
func (r *recorder) SetRetryBudgetPercent(origin string, n int) error {
	return r.note("percent", origin, n)
}
func (r *recorder) SetServerState(origin, server, state, why string) error {
	return r.note("state", origin, server, state, why)
}
func (r *recorder) SetServerWeight(origin, server string, n int) error {
	return r.note("weight", origin, server, n)
}
func (r *recorder) SetMaintenance(host string, on bool) error { return r.note("maintenance", host, on) }
func (r *recorder) SetLevel(level string) error               { return r.note("level", level) }

func TestAct(t *testing.T) {
	tests := []struct {
		name    string
		changed []setting.Version
		want    []string
	}{
		{"to what was set", []setting.Version{turned("origins.booking.max_in_flight", "100", 0)}, []string{"limit booking 100"}},
		{"back to the file", []setting.Version{turned("origins.booking.max_in_flight", "", 0)}, []string{"limit booking 200"}},
		{
			"with the reason of a server's state",
			[]setting.Version{turned("origins.booking.servers[10.0.0.11:8080].state", `"drain"`, 0)},
			[]string{"state booking 10.0.0.11:8080 drain too many bookings (anna)"},
		},
		{
			"each of its kind",
			[]setting.Version{
				turned("origins.booking.paused", "true", 0), turned("origins.booking.retry.attempts", "1", 0),
				turned("origins.booking.retry.budget.percent", "5", 0), turned("origins.booking.servers[app.test:80].weight", "9", 0),
				turned("sites[www.book.test].maintenance", "true", 0), turned("log.level", `"debug"`, 0),
			},
			[]string{
				"level debug", "paused booking true", "attempts booking 1", "percent booking 5", "weight booking app.test:80 9", "maintenance book.test true",
			},
		},
		{
			"to the last of two", []setting.Version{turned("log.level", `"debug"`, 0), turned("log.level", `"error"`, 0)},
			[]string{"level error"},
		},
		{"to the file where a value will not do", []setting.Version{turned("log.level", `"loud"`, 0)}, []string{"level warn"}},
		{
			"not what the configuration does not have, nor what is no lever",
			[]setting.Version{turned("origins.gone.paused", "true", 0), turned("tokens[a]", "{}", 0)}, nil,
		},
	}
	file := load(t, shop)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := new(recorder)
			if err := Act(r.target(), file, tt.changed); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.calls, tt.want) {
				t.Errorf("%q, want %q", r.calls, tt.want)
			}
		})
	}
}

func TestAct_TurnsTheOthersWhenOneFails(t *testing.T) {
	r := &recorder{fails: "paused booking true"}
	err := Act(r.target(), load(t, shop), []setting.Version{turned("origins.booking.paused", "true", 0), turned("sites[book.test].maintenance", "true", 0)})
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "turn origins.booking.paused") {
		t.Errorf("%v", err)
	}
	if !slices.Contains(r.calls, "maintenance book.test true") {
		t.Errorf("%q", r.calls)
	}
}

func TestSettle_BringsEveryLeverToItsPlace(t *testing.T) {
	r, file := new(recorder), load(t, shop)
	current := []setting.Version{
		turned("origins.booking.paused", "true", 0), turned("origins.booking.max_in_flight", "", 0),
		turned("origins.notes.servers[[2001:db8::1]:443].state", `"maint"`, 0),
	}
	if err := Settle(r.target(), file, current); err != nil {
		t.Fatal(err)
	}
	if n := len(Instances(file)); len(r.calls) != n {
		t.Errorf("%d of %d levers were turned: %q", len(r.calls), n, r.calls)
	}
	for _, want := range []string{
		"paused booking true", "limit booking 200", "paused notes true", "attempts notes 2", "level warn", "maintenance *.notes.test true",
		"state notes [2001:db8::1]:443 maint too many bookings (anna)", "state booking 10.0.0.11:8080 up configured so",
	} {
		if !slices.Contains(r.calls, want) {
			t.Errorf("%q is missing in %q", want, r.calls)
		}
	}
}
