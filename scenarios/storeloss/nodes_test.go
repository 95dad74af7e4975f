package storeloss

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// pair is two nodes on one PostgreSQL, each with a line of its own to it.
type pair struct {
	nodes [2]*evergate
	lines [2]*storetest.Fault
}

func newPair(t *testing.T, pollOnly bool) *pair {
	t.Helper()
	p, direct, app := &pair{}, storetest.Postgres(t), backend(t)
	for i := range p.nodes {
		line, url := storetest.NewFault(t, direct)
		p.lines[i] = line
		p.nodes[i] = newEvergate(t, plan{name: fmt.Sprintf("door-%d", i+1), url: url, pollOnly: pollOnly, backend: app, hosts: hosts()})
		p.nodes[i].start(t)
	}
	return p
}

// agree waits until both nodes have the same version of a lever, and returns it.
func (p *pair) agree(t *testing.T, lever string) (now api.Lever) {
	t.Helper()
	eventually(t, "the nodes to agree", 20*time.Second, func() bool {
		now = p.nodes[0].lever(t, lever)
		other := p.nodes[1].lever(t, lever)
		return now.Version == other.Version && string(now.Value) == string(other.Value) && !now.Provisional && !other.Provisional
	})
	return now
}

// holder waits until one node makes the changes that are due, and returns which.
func (p *pair) holder(t *testing.T) (holds int) {
	t.Helper()
	eventually(t, "a node to hold the lease of due changes", 30*time.Second, func() bool {
		holds = slices.IndexFunc(p.nodes[:], func(e *evergate) bool { return e.metric(t, `evergate_job_held{job="settings-due"} 1`) })
		return holds >= 0
	})
	return holds
}

// turn is a change of a lever that has now.
func turn(now api.Lever, value, reason string, revertAfter time.Duration) client.Turn {
	return client.Turn{Value: []byte(value), Version: now.Version, Reason: reason, RevertAfter: revertAfter}
}

func TestNodes_OfTwoWritersAtOnceOneWinsAndTheOtherLearnsIt(t *testing.T) {
	p := newPair(t, false)
	wins := [2]int{}
	for round := range 30 {
		now := p.agree(t, limit)
		var answers [2]client.Answer[api.Changed]
		var errs [2]error
		var writers sync.WaitGroup
		for i, node := range p.nodes {
			writers.Go(func() {
				answers[i], errs[i] = node.operators.Set(t.Context(), limit, turn(now, fmt.Sprint(1000+2*round+i), fmt.Sprintf("round %d, node %d", round, i), 0))
			})
		}
		writers.Wait()
		winner := slices.Index(errs[:], nil)
		var refused *client.Problem
		if winner < 0 || !errors.As(errs[1-winner], &refused) || refused.Status != http.StatusConflict {
			t.Fatalf("round %d: two nodes wrote at once, and were told %v", round, errs)
		}
		wins[winner]++
		won := answers[winner].Value.Lever
		if c := refused.Current; c == nil || c.Version != won.Version || string(c.Value) != string(won.Value) || c.Reason != won.Reason {
			t.Errorf("round %d: the loser was told that the lever is %+v, and it is %+v", round, c, won)
		}
	}
	history := p.nodes[0].settled(t, limit)
	if len(history) != 30 {
		t.Errorf("30 changes won, and the history has %d", len(history))
	}
	t.Logf("the nodes won %d and %d times", wins[0], wins[1])
}

func TestNodes_AChangeOnOneActsOnTheOther(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		pollOnly bool
		rounds   int
	}{
		{"told by the database", false, 20},
		{"asking the database only", true, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, tt.pollOnly)
			w := ways[0]
			var slowest time.Duration
			for round := range tt.rounds {
				here, there, on := p.nodes[round%2], p.nodes[1-round%2], round%2 == 0
				now := p.agree(t, w.lever())
				if _, err := here.operators.Set(t.Context(), w.lever(), turn(now, fmt.Sprint(on), fmt.Sprintf("round %d", round), 0)); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				eventually(t, "visitors of the other node to meet the change", 20*time.Second, func() bool { return there.shut(t, w.host) == on })
				slowest = max(slowest, time.Since(began))
			}
			if slowest > 2*time.Second*slower {
				t.Errorf("a change acted on the other node after %s", slowest)
			}
			t.Logf("%d changes; the slowest acted on the other node after %s", tt.rounds, slowest.Round(time.Millisecond))
		})
	}
}

func TestNodes_ARevertHappensOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		kill  bool // who holds the lease is killed before the time has come
		after time.Duration
		late  time.Duration // at most
	}{
		{"with both nodes", false, time.Second, 2 * time.Second},
		// The lease runs out 15 s after its last renewal, and others look every 5 s.
		{"though the node that was to do it is killed", true, time.Second, 21 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, false)
			w, holds := ways[0], p.holder(t)
			holder, other := p.nodes[holds], p.nodes[1-holds]
			if _, err := holder.operators.Set(t.Context(), w.lever(), turn(p.agree(t, w.lever()), "true", "for a moment", tt.after)); err != nil {
				t.Fatal(err)
			}
			if tt.kill {
				holder.kill()
			}
			due := time.Now().Add(tt.after)
			eventually(t, "the change on the other node", 20*time.Second, func() bool { return other.shut(t, w.host) })
			eventually(t, "the revert", 40*time.Second, func() bool { return !other.shut(t, w.host) })
			late := time.Since(due)
			if late > tt.late*slower || late < -100*time.Millisecond {
				t.Errorf("the revert came %s after its time", late)
			}
			if tt.kill {
				holder.start(t)
			}
			p.agree(t, w.lever())
			eventually(t, "the revert on the node that held the lease", 2*time.Second, func() bool { return !holder.shut(t, w.host) })
			// Whoever has the lease looks for due changes again, and finds none.
			rounds := p.nodes[p.holder(t)]
			done := rounds.rounds(t)
			eventually(t, "the job to look again", 20*time.Second, func() bool { return rounds.rounds(t) >= done+3 })
			history := other.settled(t, w.lever())
			reverts := slices.DeleteFunc(slices.Clone(history), func(v api.LeverVersion) bool { return v.Actor != setting.Automatic })
			if len(reverts) != 1 || len(history) != 2 {
				t.Errorf("want one change and one revert, and the history has %+v", history)
			}
			t.Logf("the revert came %s after its time", late.Round(time.Millisecond))
		})
	}
}

// rounds is how often this node has looked for changes that are due.
func (e *evergate) rounds(t *testing.T) (n int) {
	t.Helper()
	for line := range strings.Lines(e.scrape(t)) {
		if _, err := fmt.Sscanf(line, `evergate_job_runs_total{job="settings-due"} %d`, &n); err == nil {
			return n
		}
	}
	return 0
}

// TestNodes_TheLaterActionWins is S5 of the durability guide.
func TestNodes_TheLaterActionWins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		mode   storetest.Mode
		actors [2]int // who turns the lever first, and who later; node 0 is cut off
	}{
		{"the node that is cut off acts first", storetest.Refuse, [2]int{0, 1}},
		{"the node that is cut off acts last", storetest.Refuse, [2]int{1, 0}},
		{"the node whose store hangs acts first", storetest.Hang, [2]int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, false)
			w, book := ways[0], &ledger{}
			p.lines[0].Set(t, tt.mode)
			values := [2]string{"true", "false"}
			for i, actor := range tt.actors {
				node := p.nodes[actor]
				d := deed{lever: w.lever(), value: values[i], reason: fmt.Sprintf("action %d, on node %d", i+1, actor), actor: systemUser(t, node)}
				took, err := book.note(d, func() error { return byCommand(node, d.lever, d.value, d.reason) })
				if err != nil || took > actsWithin {
					t.Fatalf("%s took %s: %v", d.reason, took, err)
				}
				if fmt.Sprint(node.shut(t, w.host)) != d.value {
					t.Errorf("%s, and its visitors do not see it", d.reason)
				}
			}
			later, _ := book.last(w.lever())
			p.lines[0].Set(t, storetest.Pass)
			healed := time.Now()
			now := p.agree(t, w.lever())
			took := time.Since(healed)
			for i, node := range p.nodes {
				if string(now.Value) != later.value {
					t.Errorf("node %d: the lever is %s, want what was done last, %s (%s)", i, now.Value, later.value, later.reason)
				}
				// What comes from another node is known a moment before it acts.
				eventually(t, "visitors to meet what was done last", 2*time.Second, func() bool {
					return fmt.Sprint(node.shut(t, w.host)) == later.value
				})
				// The winner may be written again behind the loser; that is no deed of anybody.
				history := slices.DeleteFunc(node.settled(t, w.lever()), func(v api.LeverVersion) bool {
					return strings.HasPrefix(v.Reason, "still in force: ")
				})
				slices.SortFunc(history, func(a, b api.LeverVersion) int { return a.At.Compare(b.At) })
				for i := range history {
					history[i].Number = int64(i + 1) // in the order of the deeds, not of their arrival
				}
				book.compare(t, w.lever(), history)
			}
			t.Logf("the nodes agreed %s after the line was back", took.Round(time.Millisecond))
		})
	}
}
