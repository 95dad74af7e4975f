package origin

import (
	"fmt"
	"time"
)

const (
	trialPause = time.Second // between two trials of one server while no server is eligible
	rampFrom   = 100         // per mille of weight and concurrency with which a server comes back
)

// rules are the settings of a machine, shared by the servers of an origin.
type rules struct {
	active     bool          // active checks are configured
	rise, fall int           // checks in a row, 1 or more
	failures   int           // failed attempts in a row that eject, 1 or more
	ejectBase  time.Duration // of the first ejection
	ejectMax   time.Duration // of the longest; also: this long in use, and earlier ejections are forgotten
	slowStart  time.Duration // 0: none
}

// peers is what a machine must know of the origin's other servers.
type peers struct {
	eligible bool // another one is eligible: this one is not the last
	wasUp    bool // another one has been eligible before
}

// machine is the state of one server. Active checks, attempts and trials keep
// their counters apart and share only the state. It is pure: now comes in, and
// changes go out through notify. Not safe for concurrent use.
//
// Attempts and checks carry the generation in which they began. A result from
// an earlier generation says something about a server that has been ejected or
// has come back since, so it changes nothing.
type machine struct {
	rules  *rules
	notify func(from, to State, reason, ejection string, at time.Time)

	health State     // Unknown to Suspect
	order  State     // Draining or Maint by the operator, Unknown: none
	since  time.Time // of State
	reason string    // of State

	gen      uint64    // raised by every ejection and every recovery
	failures int       // attempts failed in a row
	streak   uint64    // successful attempts, to know whether one came in between
	passes   int       // checks passed in a row
	fails    int       // checks failed in a row
	times    int       // ejections without a long good time in between
	until    time.Time // end of the ejection
	ramp     time.Time // start of the slow start
	inUse    time.Time // since when eligible
	trialAt  time.Time // start of the last trial, or the ejection
	wasUp    bool

	ejections int // since start, for status
}

// State is what the operator ordered, or else the server's health.
func (m *machine) State() State {
	if m.order != Unknown {
		return m.order
	}
	return m.health
}

// eligible reports whether the server gets ordinary traffic.
func (m *machine) eligible() bool { return m.order == Unknown && m.health.Eligible() }

// start begins the machine's life at now.
func (m *machine) start(now time.Time) {
	m.since, m.reason = now, "not checked yet"
	m.unchecked(now)
}

// unchecked brings an unknown server up when there are no checks that could.
func (m *machine) unchecked(now time.Time) {
	if m.health == Unknown && !m.rules.active {
		m.inUse, m.wasUp = now, true
		m.to(now, Up, "no active check configured", "")
	}
}

// advance does what time alone does.
func (m *machine) advance(now time.Time) {
	switch {
	case m.health == Ramping && !now.Before(m.ramp.Add(m.rules.slowStart)):
		m.to(now, Up, "slow start over", "")
	case m.health == Ejected && !now.Before(m.until):
		m.to(now, Trial, "ejection time over", "")
	}
}

// next is when advance has something to do, or the zero time.
func (m *machine) next() time.Time {
	switch m.health {
	case Ramping:
		return m.ramp.Add(m.rules.slowStart)
	case Ejected:
		return m.until
	}
	return time.Time{}
}

// attempt counts the result of an attempt that began in generation gen. cause
// is a short text for a failure.
func (m *machine) attempt(now time.Time, gen uint64, ok bool, cause string, p peers) {
	if gen != m.gen || !m.health.Eligible() {
		return
	}
	if ok {
		m.failures = 0
		m.streak++
		return
	}
	m.failures++
	m.count(now, cause, p)
}

// retract turns an attempt that was counted as good into a failure: its body
// was cut short. before and streak are failures and streak as they were before
// and after it was counted; when no other success came since, the row of
// failures goes on as if it had never been broken.
func (m *machine) retract(now time.Time, gen uint64, before int, streak uint64, cause string, p peers) {
	if gen != m.gen || !m.health.Eligible() {
		return
	}
	if m.streak == streak {
		m.failures += before
	}
	m.failures++
	m.count(now, cause, p)
}

func (m *machine) count(now time.Time, cause string, p peers) {
	if m.failures >= m.rules.failures {
		m.out(now, fmt.Sprintf("%d failures in a row, the last: %s", m.failures, cause), "failures", p)
	}
}

// check counts an active check that began in generation gen. While no server is
// eligible it is the server's trial: one pass is enough.
func (m *machine) check(now time.Time, gen uint64, ok bool, cause string, p peers) {
	if gen != m.gen {
		return
	}
	if ok {
		m.fails = 0
		m.passes++
	} else {
		m.passes = 0
		m.fails++
	}
	switch m.health {
	case Unknown:
		switch {
		case m.passes < m.rules.rise:
		case m.wasUp || p.wasUp:
			m.recover(now, fmt.Sprintf("%d checks passed", m.passes))
		default:
			m.inUse, m.wasUp = now, true
			m.to(now, Up, fmt.Sprintf("%d checks passed", m.passes), "")
		}
	case Ramping, Up:
		if m.fails >= m.rules.fall {
			m.out(now, fmt.Sprintf("%d checks failed, the last: %s", m.fails, cause), "checks", p)
		}
	case Ejected:
		if m.passes >= m.rules.rise || ok && !p.eligible {
			m.recover(now, fmt.Sprintf("%d checks passed", m.passes))
		}
	case Trial, Suspect:
		m.trial(now, gen, ok, cause)
	}
}

// trial ends a trial that began in generation gen.
func (m *machine) trial(now time.Time, gen uint64, ok bool, cause string) {
	switch {
	case gen != m.gen:
	case ok:
		m.recover(now, "trial passed")
	case m.health == Trial:
		m.eject(now, "trial failed: "+cause, "trial")
	}
	// A failed trial of a suspect changes nothing, and one of an ejected server
	// before its time does not lengthen the ejection: it was taken only because
	// no server was eligible.
}

// trialDue reports whether a trial may begin at now, and otherwise when; the
// zero time is never. none says that no server of the origin is eligible.
func (m *machine) trialDue(now time.Time, none bool) (due bool, at time.Time) {
	if m.order != Unknown {
		return false, time.Time{}
	}
	switch m.health {
	case Trial:
		at = m.trialAt.Add(trialPause)
	case Ejected:
		if !none {
			return false, time.Time{}
		}
		at = m.trialAt.Add(trialPause)
	case Suspect:
		// Not the last one any more: no more trials than an ejected one gets.
		at = m.trialAt.Add(m.ejectTime())
		if none {
			at = m.trialAt.Add(trialPause)
		}
	default:
		return false, time.Time{}
	}
	return !now.Before(at), at
}

// hold sets the operator's order: Draining, Maint, or Unknown for none. What
// comes back from an order comes back slowly; from Maint unchecked, too.
func (m *machine) hold(now time.Time, order State, reason string) {
	from := m.State()
	was := m.order
	if was == order {
		if order != Unknown {
			m.reason = reason // somebody else wants the same
		}
		return
	}
	m.order = order
	switch {
	case was == Maint && m.rules.active: // what it was before says nothing any more
		m.health, m.passes, m.fails = Unknown, 0, 0
		m.gen++
	case order == Unknown && (was == Maint || m.health.Eligible()):
		m.recovered(now)
	}
	m.since, m.reason = now, reason
	m.notify(from, m.State(), reason, "", now)
}

// factor is the part of weight and concurrency that the server gets, per mille.
func (m *machine) factor(now time.Time) int64 {
	if m.health != Ramping || m.rules.slowStart <= 0 {
		return 1000
	}
	d := min(max(now.Sub(m.ramp), 0), m.rules.slowStart)
	return rampFrom + (1000-rampFrom)*int64(d)/int64(m.rules.slowStart)
}

// limit is full, a number of requests, as the slow start allows it now; 1 or more.
func (m *machine) limit(now time.Time, full int) int {
	if m.health != Ramping {
		return full
	}
	return int((int64(full)*m.factor(now) + 999) / 1000)
}

// grows is when limit will be higher than now, or the zero time.
func (m *machine) grows(now time.Time, full int) time.Time {
	if m.health != Ramping || full <= 0 {
		return time.Time{}
	}
	need := int64(m.limit(now, full))*1000/int64(full) + 1 // per mille
	if need > 1000 {
		return time.Time{}
	}
	part := (need - rampFrom) * int64(m.rules.slowStart)
	return m.ramp.Add(time.Duration((part + 1000 - rampFrom - 1) / (1000 - rampFrom)))
}

// out takes an eligible server out: ejected, or suspect when it is the last one.
func (m *machine) out(now time.Time, reason, ejection string, p peers) {
	if now.Sub(m.inUse) >= m.rules.ejectMax {
		m.times = 0
	}
	if p.eligible {
		m.eject(now, reason, ejection)
		return
	}
	m.reset()
	m.times = max(m.times, 1) // so that ejectTime is not 0
	m.trialAt = now
	m.to(now, Suspect, reason+"; it is the last one, requests wait", "")
}

func (m *machine) eject(now time.Time, reason, ejection string) {
	m.reset()
	m.times++
	m.ejections++
	m.trialAt = now
	m.until = now.Add(m.ejectTime())
	m.to(now, Ejected, fmt.Sprintf("%s; out for %v", reason, m.ejectTime()), ejection)
}

// ejectTime is base times the number of ejections, up to max.
func (m *machine) ejectTime() time.Duration {
	if m.rules.ejectBase > 0 && time.Duration(m.times) > m.rules.ejectMax/m.rules.ejectBase {
		return max(m.rules.ejectMax, m.rules.ejectBase)
	}
	return m.rules.ejectBase * time.Duration(m.times)
}

// recover brings a server back, slowly.
func (m *machine) recover(now time.Time, reason string) {
	from := m.State()
	m.recovered(now)
	m.tell(now, from, reason, "")
}

func (m *machine) recovered(now time.Time) {
	m.reset()
	m.ramp, m.inUse, m.wasUp = now, now, true
	m.health = Ramping
	if m.rules.slowStart <= 0 {
		m.health = Up
	}
}

// reset begins a new generation with all counters at zero.
func (m *machine) reset() {
	m.gen++
	m.failures, m.passes, m.fails = 0, 0, 0
}

func (m *machine) to(now time.Time, s State, reason, ejection string) {
	from := m.State()
	m.health = s
	m.tell(now, from, reason, ejection)
}

// tell reports a change of health. While an order stands, the change is kept
// for later and nobody is told: what they see did not change.
func (m *machine) tell(now time.Time, from State, reason, ejection string) {
	if m.order != Unknown {
		return
	}
	m.since, m.reason = now, reason
	m.notify(from, m.health, reason, ejection, now)
}
