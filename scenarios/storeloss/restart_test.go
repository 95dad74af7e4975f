package storeloss

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

const (
	// A change waits 750 ms for a store that hangs; the rest is the command's own start.
	returnsWithin = 1500 * time.Millisecond
	servesWithin  = 10 * time.Second
	wholeWithin   = 15 * time.Second
)

// TestRestart_ALeverTurnedDuringTheLossOutlivesAKillUnderLoad differs from the story of
// the loss in that the visitors stay from before the loss until after the return, the
// kill included, and that a store that is empty is there, and doubted, all the while.
func TestRestart_ALeverTurnedDuringTheLossOutlivesAKillUnderLoad(t *testing.T) {
	tests := []struct {
		name  string
		mode  storetest.Mode
		empty bool // it comes back at once, with nothing in it
	}{
		{"PostgreSQL refuses", storetest.Refuse, false},
		{"PostgreSQL hangs", storetest.Hang, false},
		{"PostgreSQL answers errors", storetest.Error, false},
		{"PostgreSQL is back but empty", storetest.Refuse, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			direct := storetest.Postgres(t)
			line, url := storetest.NewFault(t, direct)
			door := newEvergate(t, plan{name: "door-1", url: url, backend: backend(t), hosts: hosts()})
			s := &story{door: door, before: &ledger{}, lost: &ledger{}}
			door.start(t)
			s.command(t, s.lost, limit, "900", "before the loss")
			crowd := door.visit()
			crowd.serve(t, 200)

			line.Set(t, tt.mode)
			if tt.empty {
				// The line must have been noticed as cut, or nobody looks at what is behind it.
				eventually(t, "the loss", 10*time.Second, func() bool { return door.metric(t, "evergate_settings_store_lost 1") })
				storetest.Empty(t, direct)
				line.Set(t, storetest.Pass)
				s.asksForAWord(t)
			}
			began := time.Now()
			s.command(t, s.lost, limit, "700", "during the loss")
			returned := time.Since(began)
			if returned > returnsWithin {
				t.Errorf("the command returned after %s", returned)
			}
			if got := door.lever(t, limit); string(got.Value) != "700" || !got.Provisional {
				t.Errorf("after the acknowledgement the lever is %+v", got)
			}

			dead := time.Now()
			door.kill()
			started := door.start(t)
			up := time.Now()
			if started > servesWithin {
				t.Errorf("without the store it served after %s", started)
			}
			s.inForce(t)
			if got := door.lever(t, limit); !got.Provisional {
				t.Errorf("the store is lost, and the change is not in the journal only: %+v", got)
			}
			eventually(t, "the metric", 10*time.Second, func() bool { return door.metric(t, "evergate_settings_store_lost 1") })
			crowd.serve(t, 200)

			back := time.Now()
			if tt.empty {
				s.asksForAWord(t)
				back = time.Now()
				door.must(t, "store", "confirm", "--refill", "--reason", "it was emptied")
			}
			line.Set(t, storetest.Pass)
			history := s.toldByCommand(t, limit)
			whole := time.Since(back)
			if whole > wholeWithin {
				t.Errorf("the history was whole after %s", whole)
			}
			s.lost.compare(t, limit, history)
			s.inForce(t)
			crowd.serve(t, 200)
			forgiven := crowd.forgive(dead, up)
			served := crowd.leave(t)
			t.Logf("command returned after %s, served %s after the start, history whole after %s, %d requests, %d fell into the kill",
				returned.Round(time.Millisecond), started.Round(time.Millisecond), whole.Round(time.Millisecond), served, forgiven)
		})
	}
}

// toldByCommand waits until evergate lever history has everything from the store, and
// returns it, the first change first.
func (s *story) toldByCommand(t *testing.T, lever string) []api.LeverVersion {
	t.Helper()
	var told api.History
	eventually(t, "evergate lever history to have it from the store", wholeWithin, func() bool {
		told = api.History{}
		if err := json.Unmarshal([]byte(s.door.must(t, "lever", "history", lever, "-o", "json")), &told); err != nil {
			t.Fatal(err)
		}
		return told.Whole && !slices.ContainsFunc(told.Versions, func(v api.LeverVersion) bool { return v.Provisional })
	})
	all := slices.Clone([]api.LeverVersion(told.Versions))
	slices.Reverse(all)
	return all
}

// TestKill_RightAfterTheAnswerOverTheSocketTheChangeIsThere has nothing between the
// answer and the kill, not even the end of a command.
func TestKill_RightAfterTheAnswerOverTheSocketTheChangeIsThere(t *testing.T) {
	door := newEvergate(t, plan{name: "door-1", backend: backend(t), hosts: hosts()})
	door.start(t)
	book := &ledger{}
	var slowest time.Duration
	rounds := kills(t, 20)
	for i := range rounds {
		now := door.lever(t, limit)
		d := deed{lever: limit, value: fmt.Sprint(500 + i), reason: fmt.Sprintf("round %d", i), actor: systemUser(t, door)}
		took, err := book.note(d, func() error {
			_, err := door.operators.Set(t.Context(), limit, turn(now, d.value, d.reason, 0))
			return err
		})
		door.kill()
		if err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, took)
		door.start(t)
		if got := door.lever(t, limit); string(got.Value) != d.value || got.Reason != d.reason {
			t.Fatalf("round %d: %s was acknowledged, and after kill -9 the lever is %+v", i, d.value, got)
		}
	}
	book.compare(t, limit, door.settled(t, limit))
	t.Logf("%d kills, %d changes acknowledged and there; the slowest took %s", rounds, book.acknowledged(), slowest.Round(time.Millisecond))
}
