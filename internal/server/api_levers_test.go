package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// two is a configuration with two servers of one origin, which has more settings.
func two(one, other, more string) string {
	return strings.Replace(minimal(one, ""), fmt.Sprintf("[%q]}", one), fmt.Sprintf("[%q, %q], %s}", one, other, more), 1)
}

func TestLevers_MaxInFlightBoundsWhatReachesTheServer(t *testing.T) {
	arrived, release := make(chan struct{}, 8), make(chan struct{})
	b := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	t.Cleanup(b.Close)
	d := open(t, newDir(t), minimal(b.URL, ""))
	d.turn(t, "origins.app.max_in_flight", "1")
	statuses := make(chan int, 3)
	var visitors sync.WaitGroup
	for range 3 {
		visitors.Go(func() {
			resp, err := http.Get("http://" + d.addr.HTTP[0] + "/")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	<-arrived
	waitFor(t, "the two others to wait", func() bool {
		_, body := d.overSocket(t, http.MethodGet, "/origins/app", "")
		return strings.Contains(body, `"depth":2`)
	})
	if len(arrived) != 0 {
		t.Error("a second one is at the server")
	}
	d.turn(t, "origins.app.max_in_flight", "3")
	<-arrived // while the first one is still there
	<-arrived
	close(release)
	visitors.Wait()
	for range 3 {
		if got := <-statuses; got != http.StatusOK {
			t.Errorf("a visitor got %d", got)
		}
	}
}

func TestLevers_WeightMovesTraffic(t *testing.T) {
	one, other := backend(t, "one"), backend(t, "two")
	d := open(t, newDir(t), two(one.URL, other.URL, "balance: round_robin, health: {slow_start: 0s}"))
	share := func() map[string]int {
		seen := map[string]int{}
		for range 100 {
			_, body := get(t, d.addr.HTTP[0], "/", "")
			seen[body]++
		}
		return seen
	}
	weight := fmt.Sprintf("origins.app.servers[%s].weight", strings.TrimPrefix(one.URL, "http://"))
	for _, step := range []struct {
		value    string
		low, top int // answers of the first server, of 100
	}{{"9", 85, 95}, {"3", 70, 80}, {"", 45, 55}} {
		d.turn(t, weight, step.value)
		if seen := share(); seen["one"] < step.low || seen["one"] > step.top || seen["one"]+seen["two"] != 100 {
			t.Errorf("with the weight %q: %v, want %d to %d", step.value, seen, step.low, step.top)
		}
	}
}

func TestLevers_RetriesFollowTheirTwo(t *testing.T) {
	var attempts atomic.Int64
	busy := func() string {
		b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			attempts.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(b.Close)
		return b.URL
	}
	d := open(t, newDir(t), two(busy(), busy(),
		"health: {consecutive_failures: 1000}, retry: {attempts: 2, budget: {min: 0, percent: 100, rate: 1000, burst: 1000}, backoff: {base: 1ms, max: 1ms}}"))
	const tries, budget = "origins.app.retry.attempts", "origins.app.retry.budget.percent"
	for _, step := range []struct {
		name, lever, value string
		want               int64
	}{
		{"as the file has it", tries, "2", 2},
		{"one attempt", tries, "1", 1},
		{"back to the file", tries, "", 2},
		{"no budget", budget, "0", 1},
		{"the file's budget again", budget, "", 2},
	} {
		d.turn(t, step.lever, step.value)
		attempts.Store(0)
		get(t, d.addr.HTTP[0], "/", "")
		if got := attempts.Load(); got != step.want {
			t.Errorf("%s: %d attempts, want %d", step.name, got, step.want)
		}
	}
}

// TestLevers_EachOutlivesARestartAndAReload turns all that there are, so that one
// that is new is tried too.
func TestLevers_EachOutlivesARestartAndAReload(t *testing.T) {
	one, other := backend(t, "one"), backend(t, "two")
	dir, text := newDir(t), two(one.URL, other.URL, "max_in_flight: 50")
	d := open(t, dir, text)
	list := func() map[string]api.Lever {
		t.Helper()
		var answer api.LeverList
		if _, body := d.overSocket(t, http.MethodGet, "/levers", ""); json.Unmarshal([]byte(body), &answer) != nil {
			t.Fatal(body)
		}
		all := map[string]api.Lever{}
		for _, l := range answer.Levers {
			all[l.Name] = l
		}
		return all
	}
	first := list()
	wanted := map[string]string{}
	for name, l := range first {
		switch l.Type {
		case "boolean":
			wanted[name] = map[string]string{"true": "false", "false": "true"}[string(l.File)]
		case "word":
			wanted[name] = fmt.Sprintf("%q", l.Words[len(l.Words)-1])
		default:
			wanted[name] = "7"
		}
		if string(l.File) == wanted[name] || l.Set {
			t.Fatalf("%s begins as %s (set: %t)", name, l.File, l.Set)
		}
		d.turn(t, name, wanted[name])
	}
	if len(wanted) != 10 { // eight kinds, and two of them once more for the second server
		t.Errorf("there are %d levers: %v", len(wanted), wanted)
	}
	stand := func(when string) {
		t.Helper()
		for name, l := range list() {
			if string(l.Value) != wanted[name] || !l.Set || l.Actor == "" || l.Reason != "test" || string(l.File) != string(first[name].File) {
				t.Errorf("%s: %s is %s, set %t by %q for %q, file %s", when, name, l.Value, l.Set, l.Actor, l.Reason, l.File)
			}
		}
		var status api.Status
		if _, body := d.overSocket(t, http.MethodGet, "/status", ""); json.Unmarshal([]byte(body), &status) != nil || len(status.Overrides) != len(wanted) {
			t.Errorf("%s: status has %d levers: %s", when, len(status.Overrides), body)
		}
		if _, body := d.overSocket(t, http.MethodGet, "/config", ""); !strings.Contains(body, `"max_in_flight":{"origin":7`) || !strings.Contains(body, `"level":"error"`) {
			t.Errorf("%s: the configuration shows %s", when, body)
		}
		if got, _ := get(t, d.addr.HTTP[0], "/", ""); got != http.StatusServiceUnavailable {
			t.Errorf("%s: a visitor got %d, want the maintenance page", when, got)
		}
	}
	stand("when turned")
	d.stop()
	d = open(t, dir, text)
	stand("after a restart")
	if r := d.server.Reload("test"); !r.OK || len(r.Levers) != len(wanted) {
		t.Errorf("the reload: %+v", r)
	}
	stand("after a reload")
	for name := range wanted {
		d.turn(t, name, "")
	}
	for name, l := range list() {
		if string(l.Value) != string(first[name].File) || l.Set {
			t.Errorf("after its reset %s is %s, the file says %s", name, l.Value, first[name].File)
		}
	}
	if got, _ := get(t, d.addr.HTTP[0], "/", ""); got != http.StatusOK {
		t.Errorf("after the reset a visitor got %d", got)
	}
}

func TestLevers_StatusSaysWhoWhyAndUntilWhenAndReloadSaysBothValues(t *testing.T) {
	const lever = "origins.app.max_in_flight"
	dir, text := newDir(t), two(backend(t, "one").URL, backend(t, "two").URL, "max_in_flight: 50")
	d := open(t, dir, text)
	status, body := d.overSocket(t, http.MethodPut, "/levers/"+url.PathEscape(lever), `{"value": 7, "version": 0, "reason": "the database is slow", "revert_after": "1h"}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	override := func() api.Lever {
		t.Helper()
		var s api.Status
		if _, body := d.overSocket(t, http.MethodGet, "/status", ""); json.Unmarshal([]byte(body), &s) != nil || len(s.Overrides) != 1 {
			t.Fatalf("the status is %s", body)
		}
		return s.Overrides[0]
	}
	l := override()
	if left := time.Until(l.Reverts); l.Name != lever || l.Reason != "the database is slow" || l.Actor == "" || time.Since(l.Since) > time.Minute || left < 50*time.Minute || left > time.Hour {
		t.Errorf("the status says %+v", l)
	}
	write(t, dir, strings.Replace(text, "max_in_flight: 50", "max_in_flight: 60", 1))
	r := d.server.Reload("test")
	if said := strings.Join(r.Levers, "\n"); !r.OK || !strings.Contains(said, lever+" stays 7 (by "+l.Actor) || !strings.Contains(said, "the file says 60 now, and said 50 before") {
		t.Errorf("the reload says %q", said)
	}
	if now := override(); string(now.File) != "60" || string(now.Value) != "7" || !now.Reverts.Equal(l.Reverts) {
		t.Errorf("after the reload the status says %+v", now)
	}
	d.turn(t, lever, "")
	if got := d.lever(t, lever); !strings.HasPrefix(got, "60 by ") {
		t.Errorf("after the reset the lever is %s, want the file's", got)
	}
}
