package storeloss

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// actsWithin is the promise of a lever, the start of the command included.
const actsWithin = slower * time.Second

func TestStoreLoss_VisitorsNoticeNothingAndLeversTurn(t *testing.T) {
	tests := []struct {
		name  string
		mode  storetest.Mode
		empty string // "": it comes back as it was; else empty, and this is an operator's word on it
	}{
		{"PostgreSQL refuses", storetest.Refuse, ""},
		{"PostgreSQL hangs", storetest.Hang, ""},
		{"PostgreSQL answers errors", storetest.Error, ""},
		{"PostgreSQL comes back empty and is refilled", storetest.Refuse, "--refill"},
		{"PostgreSQL comes back empty and is accepted", storetest.Refuse, "--accept"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			direct := storetest.Postgres(t)
			line, url := storetest.NewFault(t, direct)
			door := newEvergate(t, plan{name: "door-1", url: url, backend: backend(t), hosts: hosts()})
			s := &story{door: door, before: &ledger{}, lost: &ledger{}}
			door.start(t)
			s.turn(t, s.before, limit, "900", "before the loss")

			crowd := door.visit()
			line.Set(t, tt.mode)
			took := s.turn(t, s.lost, ways[0].lever(), "true", "during the loss")
			s.showsLoss(t)
			served := crowd.leave(t)

			s.command(t, s.lost, ways[0].lever(), "false", "right before the kill")
			door.kill()
			started := door.start(t)
			s.inForce(t)
			s.turn(t, s.lost, ways[0].lever(), "true", "after the start without the store")

			crowd = door.visit()
			if tt.empty != "" {
				storetest.Empty(t, direct)
			}
			back := time.Now()
			line.Set(t, storetest.Pass)
			if tt.empty != "" {
				s.asksForAWord(t)
				door.must(t, "store", "confirm", tt.empty, "--reason", "it was emptied")
			}
			whole := s.isWhole(t, back, tt.empty == "--accept")
			served += crowd.leave(t)
			t.Logf("lever acted after %s, start without the store took %s, the store had all %s after it was back, %d requests",
				took.Round(time.Millisecond), started.Round(time.Millisecond), whole.Round(time.Millisecond), served)
		})
	}
}

// story is one door whose store is lost, and what operators did.
type story struct {
	door         *evergate
	before, lost *ledger // what was done before the loss, and during it
}

// command turns a lever by the command.
func (s *story) command(t *testing.T, in *ledger, lever, value, reason string) {
	t.Helper()
	d := deed{lever: lever, value: value, reason: reason, actor: systemUser(t, s.door)}
	if _, err := in.note(d, func() error { return byCommand(s.door, lever, value, reason) }); err != nil {
		t.Fatal(err)
	}
}

// turn is a command that acts in time: visitors of the site meet what it says.
func (s *story) turn(t *testing.T, in *ledger, lever, value, reason string) time.Duration {
	t.Helper()
	began := time.Now()
	s.command(t, in, lever, value, reason)
	s.siteStands(t, lever, value)
	took := time.Since(began)
	if took > actsWithin {
		t.Errorf("%s acted after %s", lever, took)
	}
	return took
}

// siteStands wants that visitors meet what the lever says, if it is one of a site.
func (s *story) siteStands(t *testing.T, lever, value string) {
	t.Helper()
	if host := ways[0].host; lever == shutOf(host) && fmt.Sprint(s.door.shut(t, host)) != value {
		t.Errorf("%s is %s, and visitors do not meet that", lever, value)
	}
}

// inForce wants that each lever stands where the last one who turned it was told.
func (s *story) inForce(t *testing.T) {
	t.Helper()
	for _, in := range []*ledger{s.before, s.lost} {
		for _, lever := range []string{limit, ways[0].lever()} {
			d, turned := in.last(lever)
			if !turned {
				continue
			}
			if got := s.door.lever(t, lever); string(got.Value) != d.value || got.Reason != d.reason {
				t.Errorf("%s is %s (%s), and %s (%s) was acknowledged", lever, got.Value, got.Reason, d.value, d.reason)
			}
			s.siteStands(t, lever, d.value)
		}
	}
}

// showsLoss wants the four signals of S7; that readiness does not fail the visitors
// see to.
func (s *story) showsLoss(t *testing.T) {
	t.Helper()
	eventually(t, "the condition", 10*time.Second, func() bool { return s.door.condition(t, "store").Severity == api.Failing })
	if text := s.door.must(t, "status"); !strings.Contains(text, "postgres") || !strings.Contains(text, "journal") {
		t.Errorf("evergate status does not say that postgres is lost:\n%s", text)
	}
	if c := s.door.condition(t, "settings-journal"); c.Severity != api.Warning {
		t.Errorf("the status does not say that changes wait: %+v", c)
	}
	eventually(t, "the metric", 10*time.Second, func() bool { return s.door.metric(t, "evergate_settings_store_lost 1") })
	if !s.door.logged(t, "the store of the settings is lost") {
		t.Error("the log has no line about the loss")
	}
}

// asksForAWord wants that the doubt about an empty store shows, and that the levers
// stand meanwhile.
func (s *story) asksForAWord(t *testing.T) {
	t.Helper()
	eventually(t, "the status to ask for a word", 20*time.Second, func() bool {
		return strings.Contains(s.door.condition(t, "store").Detail, "--refill")
	})
	for _, want := range []string{"evergate_settings_store_unconfirmed 1", "evergate_settings_store_lost 1"} {
		if !s.door.metric(t, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	if text := s.door.must(t, "store", "status"); !strings.Contains(text, "empty") || !strings.Contains(text, "--accept") {
		t.Errorf("evergate store status does not say what is to be done:\n%s", text)
	}
	if !s.door.logged(t, "evergate store confirm") {
		t.Error("the log has no line about the doubt")
	}
	s.inForce(t)
}

// isWhole wants that the store has what was done, at its original time, and that
// nothing is wrong any more, and returns how long after back the history was whole.
// accepted says that an operator took it for right that what was done before the loss is
// gone.
func (s *story) isWhole(t *testing.T, back time.Time, accepted bool) (took time.Duration) {
	t.Helper()
	shut := s.door.settled(t, ways[0].lever())
	took = time.Since(back)
	s.lost.compare(t, ways[0].lever(), shut)
	for _, v := range shut {
		if v.Recorded.Before(back.Truncate(time.Millisecond)) {
			t.Errorf("%q was recorded at %s, before the store was back", v.Reason, v.Recorded)
		}
	}
	if accepted {
		s.before = &ledger{} // given up
		if got := s.door.lever(t, limit); got.Set {
			t.Errorf("an empty store was accepted, and %s is still set: %+v", limit, got)
		}
	}
	s.before.compare(t, limit, s.door.settled(t, limit))
	s.inForce(t)
	eventually(t, "the condition to end", 10*time.Second, func() bool {
		return s.door.condition(t, "store").Severity == api.OK && s.door.condition(t, "settings-journal").Severity == api.OK
	})
	for _, want := range []string{"evergate_settings_store_lost 0", "evergate_settings_store_unconfirmed 0", "evergate_settings_journal_entries 0"} {
		if !s.door.metric(t, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	s.turn(t, s.before, limit, "950", "when all was well again")
	if s.door.lever(t, limit).Provisional {
		t.Error("a change after the return is in the journal only")
	}
	return took
}
