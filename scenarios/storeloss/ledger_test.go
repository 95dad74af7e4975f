package storeloss

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// deed is one change that was asked for.
type deed struct {
	lever, value, actor string
	reason              string // no two have the same
	asked, told         time.Time
}

// acknowledged reports whether whoever asked was told that it is done.
func (d deed) acknowledged() bool { return !d.told.IsZero() }

// ledger is the operators' own account of what they did. Safe for concurrent use.
type ledger struct {
	mu    sync.Mutex
	deeds []deed // by lever in the order in which they were asked
}

// note adds a deed that do does, acknowledged if it returns nil, and returns how
// long it took.
func (l *ledger) note(d deed, do func() error) (time.Duration, error) {
	d.asked = time.Now()
	err := do()
	if err == nil {
		d.told = time.Now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deeds = append(l.deeds, d)
	return time.Since(d.asked), err
}

// acknowledged is how many deeds were.
func (l *ledger) acknowledged() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.deeds {
		if d.acknowledged() {
			n++
		}
	}
	return n
}

// last is the last acknowledged deed of a lever.
func (l *ledger) last(lever string) (d deed, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, now := range l.deeds {
		if now.lever == lever && now.acknowledged() {
			d, ok = now, true
		}
	}
	return d, ok
}

// compare fails the test for every difference.
func (l *ledger) compare(t *testing.T, lever string, history []api.LeverVersion) {
	t.Helper()
	for _, difference := range l.differences(lever, history) {
		t.Error(difference)
	}
}

// differences holds the whole history of a lever against the ledger: each
// acknowledged deed is there once, with its value, its actor and the time at which it
// was done; one that was not acknowledged may be there, once; and nothing else is.
func (l *ledger) differences(lever string, history []api.LeverVersion) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := 0
	for _, d := range l.deeds {
		switch {
		case d.lever != lever:
		case next < len(history) && history[next].Reason == d.reason:
			all = append(all, d.differences(history[next])...)
			next++
			if v := history[next-1]; v.Number != int64(next) {
				all = append(all, fmt.Sprintf("%q has number %d in the history, want %d", v.Reason, v.Number, next))
			}
		case d.acknowledged():
			all = append(all, fmt.Sprintf("%q was acknowledged and is not where it should be in the history of %s", d.reason, lever))
		}
	}
	for _, v := range history[next:] {
		all = append(all, fmt.Sprintf("in the history of %s, and nobody asked for it there: %+v", lever, v))
	}
	return all
}

// differences holds one change of a history against its deed.
func (d deed) differences(v api.LeverVersion) (all []string) {
	if string(bytes.TrimSpace(v.Value)) != d.value || v.Actor != d.actor {
		all = append(all, fmt.Sprintf("%q is in the history as %s by %q, want %s by %q", d.reason, v.Value, v.Actor, d.value, d.actor))
	}
	// The history keeps milliseconds.
	if v.At.Before(d.asked.Truncate(time.Millisecond)) || d.acknowledged() && v.At.After(d.told) {
		all = append(all, fmt.Sprintf("%q is in the history at %s, and was asked at %s and acknowledged at %s", d.reason, v.At, d.asked.UTC(), d.told.UTC()))
	}
	return all
}

func TestLedger_Differences(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	asked := []deed{
		{lever: "k", value: "1", actor: "ann", reason: "a", asked: at(10), told: at(20)},
		{lever: "k", value: "2", actor: "ann", reason: "b", asked: at(30)},
		{lever: "k", value: "3", actor: "ann", reason: "c", asked: at(50), told: at(60)},
	}
	version := func(number int64, value, reason string, ms int) api.LeverVersion {
		return api.LeverVersion{Number: number, Value: []byte(value), Actor: "ann", Reason: reason, At: at(ms)}
	}
	a, b, c := version(1, "1", "a", 15), version(2, "2", "b", 35), version(3, "3", "c", 55)
	tests := []struct {
		name    string
		history []api.LeverVersion
		good    bool
	}{
		{"everything is there", []api.LeverVersion{a, b, c}, true},
		{"what was not acknowledged may be missing", []api.LeverVersion{a, version(2, "3", "c", 55)}, true},
		{"the first is missing", []api.LeverVersion{version(1, "2", "b", 35), version(2, "3", "c", 55)}, false},
		{"the last is missing", []api.LeverVersion{a, b}, false},
		{"one is there twice", []api.LeverVersion{a, b, version(3, "2", "b", 35), version(4, "3", "c", 55)}, false},
		{"another value", []api.LeverVersion{a, b, version(3, "4", "c", 55)}, false},
		{"the time at which the store took it", []api.LeverVersion{a, b, version(3, "3", "c", 99)}, false},
		{"a hole in the numbers", []api.LeverVersion{a, b, version(4, "3", "c", 55)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found := (&ledger{deeds: asked}).differences("k", tt.history)
			if (len(found) == 0) != tt.good {
				t.Errorf("found %q", found)
			}
		})
	}
}
