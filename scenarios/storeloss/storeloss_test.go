package storeloss

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

const lever = "origins.app.max_in_flight"

// acts is how long a turn of a lever may take, the start of the command included;
// the race detector and a machine with other work get twice the promised second.
const acts = 2 * time.Second

func backend(t *testing.T) string {
	t.Helper()
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(b.Close)
	return b.URL
}

func TestStoreLoss_VisitorsNoticeNothingAndLeversTurn(t *testing.T) {
	tests := []struct {
		name  string
		mode  storetest.Mode
		empty bool
	}{
		{"PostgreSQL refuses", storetest.Refuse, false},
		{"PostgreSQL hangs", storetest.Hang, false},
		{"PostgreSQL answers errors", storetest.Error, false},
		{"PostgreSQL is away and comes back empty", storetest.Refuse, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			direct := storetest.Postgres(t)
			line, url := storetest.NewFault(t, direct)
			door := newEvergate(t, backend(t), url)
			door.start(t)
			door.must(t, "lever", "set", lever, "900", "--reason", "before the loss")

			stop := door.load(4)
			line.Set(t, tt.mode)
			begin := time.Now()
			door.must(t, "lever", "set", lever, "800", "--reason", "during the loss")
			took := time.Since(begin)
			if took > acts {
				t.Errorf("the lever took %s", took)
			}
			if got := door.value(t, lever); got != "800" {
				t.Errorf("the lever is %s", got)
			}
			eventually(t, "the metric", 10*time.Second, func() bool {
				return strings.Contains(door.metrics(t), "evergate_settings_store_lost 1")
			})
			eventually(t, "status to say it", 10*time.Second, func() bool { return strings.Contains(door.must(t, "status"), "ERROR") })
			if err := door.get("http://" + door.admin + "/readyz"); err != nil {
				t.Errorf("readiness: %v", err)
			}
			good, failed := stop()
			if len(failed) > 0 || good == 0 {
				t.Errorf("%d requests were answered, %d failed: %v", good, len(failed), failed)
			}

			door.must(t, "lever", "set", lever, "700", "--reason", "just before the kill")
			door.kill()
			started := door.start(t)
			if got := door.value(t, lever); got != "700" {
				t.Errorf("after kill -9 and a start without the store the lever is %s", got)
			}

			stop = door.load(4)
			if tt.empty {
				storetest.Empty(t, direct)
			}
			line.Set(t, storetest.Pass)
			if tt.empty {
				eventually(t, "status to ask for a word", 20*time.Second, func() bool { return strings.Contains(door.must(t, "status"), "--refill") })
				door.must(t, "store", "confirm", "--refill", "--reason", "it was emptied")
			}
			var changes []change
			eventually(t, "the store to have the history", 20*time.Second, func() bool {
				var whole bool
				changes, whole = door.history(t, lever)
				return whole && len(changes) == 3 && !changes[0].Provisional
			})
			me, err := user.Current()
			if err != nil {
				t.Fatal(err)
			}
			for i, reason := range []string{"just before the kill", "during the loss", "before the loss"} {
				if c := changes[i]; c.Reason != reason || c.Actor != me.Username || c.At.After(c.Recorded) {
					t.Errorf("change %d: %+v, want %q by %s", i, c, reason, me.Username)
				}
			}
			if late := changes[1].Recorded.Sub(changes[1].At); late < 500*time.Millisecond {
				t.Errorf("the change during the loss was recorded %s after it was made: its time is not the original one", late)
			}
			good2, failed2 := stop()
			if len(failed2) > 0 {
				t.Errorf("%d requests failed while the store came back: %v", len(failed2), failed2)
			}
			t.Logf("lever %s, start without the store %s, %d requests", took.Round(time.Millisecond), started.Round(time.Millisecond), good+good2)
		})
	}
}

func TestKill_WhatWasAcknowledgedIsThere(t *testing.T) {
	rounds := 9
	ways := []func(t *testing.T, e *evergate, value, reason string){byCommand, byAPI, byChat}
	if text := os.Getenv("EVERGATE_KILLS"); text != "" {
		given, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("EVERGATE_KILLS: %v", err)
		}
		rounds = given
	}
	for name, url := range map[string]func(*testing.T) string{
		"SQLite":     func(*testing.T) string { return "" },
		"PostgreSQL": func(t *testing.T) string { return storetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			door := newEvergate(t, backend(t), url(t))
			var slowest time.Duration
			for i := range rounds {
				door.start(t)
				if i > 0 {
					if got := door.value(t, lever); got != fmt.Sprint(1000+i-1) {
						t.Fatalf("round %d: the lever is %s, and %d was acknowledged", i, got, 1000+i-1)
					}
				}
				begin := time.Now()
				ways[i%len(ways)](t, door, fmt.Sprint(1000+i), fmt.Sprintf("round %d", i))
				slowest = max(slowest, time.Since(begin))
				door.kill()
			}
			door.start(t)
			if changes, _ := door.history(t, lever); len(changes) == 0 || changes[0].Number != int64(rounds) {
				t.Errorf("the history has %+v, want %d changes", changes, rounds)
			}
			if slowest > acts {
				t.Errorf("a change by command, API or chat took %s", slowest)
			}
			t.Logf("%d kills; the slowest change, by command, API or chat, took %s", rounds, slowest.Round(time.Millisecond))
		})
	}
}
