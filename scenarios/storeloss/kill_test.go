package storeloss

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// kills is how often a test kills: few times in a normal run.
func kills(t *testing.T, few int) int {
	if os.Getenv("EVERGATE_SOAK") != "" {
		few = 200
	}
	return storetest.Kills(t, few)
}

// stores are the two, and the URL of a new one.
var stores = []struct {
	name string
	url  func(t testing.TB) string
}{
	{"SQLite", func(testing.TB) string { return "" }},
	{"PostgreSQL", storetest.Postgres},
}

// acted is what operators did to a door, and how long it took at most.
type acted struct {
	door *evergate
	book *ledger

	mu      sync.Mutex
	slowest map[string]time.Duration // by way
	refused int                      // that nobody acknowledged
}

func newActed(t *testing.T, url string) *acted {
	door := newEvergate(t, plan{name: "door-1", url: url, backend: backend(t), hosts: hosts()})
	door.start(t)
	door.makeToken(t)
	return &acted{door: door, book: &ledger{}, slowest: map[string]time.Duration{}}
}

// turn turns the lever of w and reports whether that was acknowledged.
func (a *acted) turn(t *testing.T, w way, on bool, reason string) error {
	d := deed{lever: w.lever(), value: fmt.Sprint(on), reason: reason, actor: w.actor(t, a.door)}
	took, err := a.book.note(d, func() error { return w.turn(a.door, d.lever, d.value, d.reason) })
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.refused++
	} else {
		a.slowest[w.name] = max(a.slowest[w.name], took)
	}
	return err
}

// judge wants that the door, started again, has what the ledger has.
func (a *acted) judge(t *testing.T) {
	t.Helper()
	for _, w := range ways {
		history := a.door.settled(t, w.lever())
		a.book.compare(t, w.lever(), history)
		if len(history) == 0 {
			continue
		}
		last := history[len(history)-1]
		if got := a.door.lever(t, w.lever()); got.Version != last.Number || string(got.Value) != string(last.Value) {
			t.Errorf("the history of %s ends with version %d, %s; in force is %d, %s", w.lever(), last.Number, last.Value, got.Version, got.Value)
		}
		// One that was not acknowledged may have come from the store just now.
		eventually(t, "visitors to meet the last change", 2*time.Second, func() bool { return fmt.Sprint(a.door.shut(t, w.host)) == string(last.Value) })
	}
}

// report says what happened, and wants that every way was quick.
func (a *acted) report(t *testing.T, rounds int) {
	t.Helper()
	for _, w := range ways {
		if a.slowest[w.name] == 0 {
			t.Errorf("nothing was acknowledged by %s; this run proves nothing", w.name)
		}
		if a.slowest[w.name] > actsWithin {
			t.Errorf("a change by %s took %s", w.name, a.slowest[w.name])
		}
	}
	t.Logf("%d kills, %d changes acknowledged and there, %d not acknowledged; the slowest: %v", rounds, a.book.acknowledged(), a.refused, a.slowest)
}

func TestKill_RightAfterTheAnswerTheChangeIsThere(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			a := newActed(t, store.url(t))
			rounds := kills(t, 24)
			for i := range rounds {
				w, on := ways[i%len(ways)], i/len(ways)%2 == 0
				if err := a.turn(t, w, on, fmt.Sprintf("round %d", i)); err != nil {
					t.Fatal(err)
				}
				if i%2 == 0 { // the other half is killed at once
					if a.door.shut(t, w.host) != on {
						t.Errorf("round %d: %s was acknowledged, and visitors of the site do not see it", i, w.lever())
					}
				}
				a.door.kill()
				a.door.start(t)
				if a.door.shut(t, w.host) != on {
					t.Fatalf("round %d: the change by %s was acknowledged, and is not in force after kill -9", i, w.name)
				}
			}
			a.judge(t)
			a.report(t, rounds)
		})
	}
}

func TestKill_AtAnyMomentWhatWasAcknowledgedIsThere(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			a := newActed(t, store.url(t))
			rounds := kills(t, 12)
			for round := range rounds {
				first, gone := make(chan struct{}, 1), make(chan struct{})
				var operators sync.WaitGroup
				for _, w := range ways {
					operators.Go(func() {
						tick := time.NewTicker(2 * time.Millisecond)
						defer tick.Stop()
						for i := 0; ; i++ {
							select {
							case <-gone:
								return
							case <-tick.C:
							}
							if a.turn(t, w, i%2 == 0, fmt.Sprintf("round %d, %s %d", round, w.name, i)) != nil {
								continue // it is dead, or the chat has had enough for now
							}
							select {
							case first <- struct{}{}:
							default:
							}
						}
					})
				}
				<-first
				<-time.After(rand.N(150 * time.Millisecond))
				a.door.kill()
				close(gone)
				operators.Wait()
				a.door.start(t)
				a.judge(t)
			}
			a.report(t, rounds)
		})
	}
}
