package origin

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var day = time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)

// testMachine is a machine whose changes are kept.
func testMachine(active bool) (*machine, *[]string) {
	var seen []string
	m := &machine{
		rules: &rules{active: active, rise: 2, fall: 3, failures: 5,
			ejectBase: 30 * time.Second, ejectMax: 300 * time.Second, slowStart: 10 * time.Second},
		notify: func(_, to State, reason, _ string, _ time.Time) {
			if reason == "" {
				panic("a change without a reason")
			}
			seen = append(seen, to.String())
		},
	}
	m.start(day)
	return m, &seen
}

func TestMachine(t *testing.T) {
	others, alone := peers{eligible: true, wasUp: true}, peers{wasUp: true}
	fail := func(n int, p peers) func(*machine, time.Time) {
		return func(m *machine, now time.Time) {
			for range n {
				m.attempt(now, m.gen, false, "reset", p)
			}
		}
	}
	check := func(n int, ok bool, p peers) func(*machine, time.Time) {
		return func(m *machine, now time.Time) {
			for range n {
				m.check(now, m.gen, ok, "status 500", p)
			}
		}
	}
	good := func(m *machine, now time.Time) { m.attempt(now, m.gen, true, "", others) }
	trial := func(ok bool) func(*machine, time.Time) {
		return func(m *machine, now time.Time) { m.trial(now, m.gen, ok, "reset") }
	}
	type step struct {
		after time.Duration // since the step before
		do    func(*machine, time.Time)
		want  State
	}
	nothing := func(*machine, time.Time) {}
	tests := []struct {
		name   string
		active bool
		steps  []step
	}{
		{"without checks it is up at once", false, []step{{0, nothing, Up}}},
		{"with checks it is unknown, and one pass is not enough", true, []step{
			{0, nothing, Unknown}, {0, check(1, true, peers{}), Unknown}}},
		{"the first server is up when its checks passed", true, []step{{0, check(2, true, peers{}), Up}}},
		{"the next server comes slowly", true, []step{{0, check(2, true, others), Ramping}, {10 * time.Second, nothing, Up}}},
		{"passes must be in a row", true, []step{
			{0, check(1, true, peers{}), Unknown}, {0, check(1, false, peers{}), Unknown}, {0, check(1, true, peers{}), Unknown}}},
		{"failed checks leave an unknown server unknown", true, []step{{0, check(9, false, peers{}), Unknown}}},
		{"four failures change nothing", false, []step{{0, fail(4, others), Up}}},
		{"five failures in a row eject", false, []step{{0, fail(5, others), Ejected}}},
		{"a success in between starts the count anew", false, []step{{0, fail(4, others), Up}, {0, good, Up}, {0, fail(4, others), Up}}},
		{"the last server becomes suspect instead", false, []step{{0, fail(5, alone), Suspect}}},
		{"failed checks eject", true, []step{{0, check(2, true, peers{}), Up}, {0, check(3, false, others), Ejected}}},
		{"failed checks make the last one suspect", true, []step{{0, check(2, true, peers{}), Up}, {0, check(3, false, alone), Suspect}}},
		{"checks and attempts do not add up", true, []step{
			{0, check(2, true, peers{}), Up}, {0, check(2, false, others), Up}, {0, fail(4, others), Up}}},
		{"a passed check does not break a row of failed attempts", true, []step{
			{0, check(2, true, peers{}), Up}, {0, fail(4, others), Up}, {0, check(5, true, others), Up}, {0, fail(1, others), Ejected}}},
		{"an ejected server comes back by checks", true, []step{
			{0, check(2, true, peers{}), Up}, {0, fail(5, others), Ejected}, {0, check(1, true, others), Ejected}, {0, check(1, true, others), Ramping}}},
		{"an ejected server needs one pass when no other is eligible", true, []step{
			{0, check(2, true, peers{}), Up}, {0, fail(5, others), Ejected}, {0, check(1, true, alone), Ramping}}},
		{"when the ejection is over, a trial comes", false, []step{
			{0, fail(5, others), Ejected}, {30*time.Second - 1, nothing, Ejected}, {1, nothing, Trial}}},
		{"a passed trial brings it back", false, []step{
			{0, fail(5, others), Ejected}, {30 * time.Second, trial(true), Ramping}, {10 * time.Second, nothing, Up}}},
		{"a failed trial ejects it for longer", false, []step{
			{0, fail(5, others), Ejected}, {30 * time.Second, trial(false), Ejected},
			{60*time.Second - 1, nothing, Ejected}, {1, nothing, Trial}}},
		{"a check is the trial where there are checks", true, []step{
			{0, check(2, true, peers{}), Up}, {0, fail(5, others), Ejected}, {30 * time.Second, check(1, true, others), Ramping}}},
		{"an early trial that fails does not lengthen the ejection", false, []step{
			{0, fail(5, others), Ejected}, {10 * time.Second, trial(false), Ejected}, {20 * time.Second, nothing, Trial}}},
		{"a suspect stays one as long as trials fail", false, []step{
			{0, fail(5, alone), Suspect}, {time.Second, trial(false), Suspect}, {time.Hour, trial(false), Suspect}, {time.Second, trial(true), Ramping}}},
		{"a ramping server fails like one that is up", false, []step{
			{0, fail(5, alone), Suspect}, {time.Second, trial(true), Ramping}, {0, fail(4, others), Ramping}, {0, fail(1, others), Ejected}}},
		{"the operator's order hides what health does", false, []step{
			{0, func(m *machine, now time.Time) { m.hold(now, Draining, "deploy") }, Draining},
			{0, fail(5, others), Draining},
			{0, func(m *machine, now time.Time) { m.hold(now, Unknown, "done") }, Ejected}}},
		{"after maintenance a checked server is unknown", true, []step{
			{0, check(2, true, peers{}), Up},
			{0, func(m *machine, now time.Time) { m.hold(now, Maint, "disk") }, Maint},
			{0, func(m *machine, now time.Time) { m.hold(now, Unknown, "done") }, Unknown},
			{0, check(2, true, others), Ramping}}},
		{"after draining a good server comes back slowly", false, []step{
			{0, func(m *machine, now time.Time) { m.hold(now, Draining, "deploy") }, Draining},
			{0, func(m *machine, now time.Time) { m.hold(now, Unknown, "done") }, Ramping}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, seen := testMachine(tt.active)
			now := day
			for i, s := range tt.steps {
				now = now.Add(s.after)
				m.advance(now)
				s.do(m, now)
				if m.State() != s.want {
					t.Fatalf("after step %d: %v, want %v (went through %v)", i+1, m.State(), s.want, *seen)
				}
			}
		})
	}
}

func TestMachine_lateResultsChangeNothing(t *testing.T) {
	others := peers{eligible: true, wasUp: true}
	m, _ := testMachine(false)
	early := m.gen // many attempts begin now
	for range 5 {
		m.attempt(day, early, false, "reset", others)
	}
	m.advance(day.Add(30 * time.Second))
	m.trial(day.Add(30*time.Second), m.gen, true, "")
	if m.State() != Ramping {
		t.Fatalf("%v, want ramping", m.State())
	}
	for range 50 {
		m.attempt(day.Add(31*time.Second), early, false, "timeout", others)
		m.check(day.Add(31*time.Second), early, false, "timeout", others)
	}
	if m.State() != Ramping || m.ejections != 1 {
		t.Errorf("%v after %d ejections: attempts from before the ejection ejected it again", m.State(), m.ejections)
	}
}

func TestMachine_retractedSuccessIsAFailureInTheRow(t *testing.T) {
	others := peers{eligible: true}
	m, _ := testMachine(false)
	for range 5 { // each answers well and is then cut short
		before := m.failures
		m.attempt(day, m.gen, true, "", others)
		m.retract(day, m.gen, before, m.streak, "bad_response", others)
	}
	if m.State() != Ejected {
		t.Errorf("%v, want ejected: a server that cuts every body fails every request", m.State())
	}
}

func TestMachine_ejectionGrowsToItsMaximumAndIsForgotten(t *testing.T) {
	m, _ := testMachine(false)
	now := day
	var got []time.Duration
	for range 12 {
		for range 5 {
			m.attempt(now, m.gen, false, "reset", peers{eligible: true})
		}
		got = append(got, m.until.Sub(now))
		now = m.until
		m.advance(now)
		m.trial(now, m.gen, true, "")
	}
	want := []time.Duration{30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300}
	for i := range want {
		if got[i] != want[i]*time.Second {
			t.Fatalf("ejections lasted %v, want %v s", got, want)
		}
	}
	now = now.Add(300 * time.Second)
	for range 5 {
		m.attempt(now, m.gen, false, "reset", peers{eligible: true})
	}
	if d := m.until.Sub(now); d != 30*time.Second {
		t.Errorf("after a long good time the ejection lasts %v, want 30s", d)
	}
}

func TestMachine_slowStartGrowsWeightAndConcurrency(t *testing.T) {
	m, _ := testMachine(false)
	m.recovered(day)
	tests := []struct {
		at     time.Duration
		factor int64
		limit  int // of 200
	}{{0, 100, 20}, {time.Second, 190, 38}, {5 * time.Second, 550, 110}, {10 * time.Second, 1000, 200}, {time.Hour, 1000, 200}}
	for _, tt := range tests {
		now := day.Add(tt.at)
		if f, l := m.factor(now), m.limit(now, 200); f != tt.factor || l != tt.limit {
			t.Errorf("after %v: factor %d and limit %d, want %d and %d", tt.at, f, l, tt.factor, tt.limit)
		}
	}
	if l := m.limit(day, 1); l != 1 {
		t.Errorf("limit of 1 starts at %d, want 1", l)
	}
}

func TestMachine_growsSaysExactlyWhenTheNextSlotComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _ := testMachine(false)
		m.rules.slowStart = time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "slow start"))
		m.recovered(day)
		full := rapid.IntRange(1, 5000).Draw(t, "full")
		now := day.Add(time.Duration(rapid.Int64Range(0, int64(m.rules.slowStart)).Draw(t, "at")))
		at := m.grows(now, full)
		if at.IsZero() {
			if l := m.limit(now, full); l != full {
				t.Fatalf("no more growth from %d of %d", l, full)
			}
			return
		}
		if at.Before(now) || m.limit(at, full) <= m.limit(now, full) {
			t.Fatalf("at %v the limit is %d, now it is %d", at.Sub(now), m.limit(at, full), m.limit(now, full))
		}
	})
}

// Whatever happens in whatever order: the last eligible server is never
// ejected, and every change has a reason (notify checks that).
func TestMachine_neverEjectsTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		active := rapid.Bool().Draw(t, "active")
		ms := make([]*machine, rapid.IntRange(1, 4).Draw(t, "servers"))
		for i := range ms {
			ms[i], _ = testMachine(active)
		}
		others := func(i int) (p peers) {
			for j, m := range ms {
				if j != i {
					p.eligible = p.eligible || m.eligible()
					p.wasUp = p.wasUp || m.wasUp
				}
			}
			return p
		}
		count := func() (n int) {
			for _, m := range ms {
				if m.eligible() {
					n++
				}
			}
			return n
		}
		now := day
		gens := make([][]uint64, len(ms)) // of attempts under way
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			i := rapid.IntRange(0, len(ms)-1).Draw(t, "server")
			m, before := ms[i], count()
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				gens[i] = append(gens[i], m.gen)
			case 1:
				if n := len(gens[i]); n > 0 {
					k := rapid.IntRange(0, n-1).Draw(t, "which")
					m.attempt(now, gens[i][k], rapid.IntRange(0, 9).Draw(t, "luck") > 7, "reset", others(i))
					gens[i] = slices.Delete(gens[i], k, k+1)
				}
			case 2:
				m.attempt(now, m.gen, false, "reset", others(i))
			case 3:
				m.check(now, m.gen, rapid.Bool().Draw(t, "ok"), "status 500", others(i))
			case 4:
				if due, _ := m.trialDue(now, count() == 0); due {
					m.trial(now, m.gen, rapid.Bool().Draw(t, "ok"), "reset")
				}
			case 5:
				now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "seconds")) * time.Second)
				for _, m := range ms {
					m.advance(now)
				}
			}
			if before > 0 && count() == 0 && m.State() != Suspect {
				t.Fatalf("the last eligible server became %v", m.State())
			}
		}
	})
}
