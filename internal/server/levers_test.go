package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// turn sets a lever over the socket, "" resets it.
func (d *door) turn(t *testing.T, name, value string) {
	t.Helper()
	path := "/levers/" + url.PathEscape(name)
	var lever struct {
		Version int64 `json:"version"`
	}
	_, body := d.overSocket(t, http.MethodGet, path, "")
	if err := json.Unmarshal([]byte(body), &lever); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var status int
	if value == "" {
		status, body = d.overSocket(t, http.MethodDelete, fmt.Sprintf("%s?version=%d&reason=test", path, lever.Version), "")
	} else {
		status, body = d.overSocket(t, http.MethodPut, path, fmt.Sprintf(`{"value": %s, "version": %d, "reason": "test"}`, value, lever.Version))
	}
	if status != http.StatusOK {
		t.Fatalf("turn %s to %q: %d %s", name, value, status, body)
	}
}

func TestLevers_ActOnTheNextRequest(t *testing.T) {
	one, two := backend(t, "one"), backend(t, "two")
	text := strings.Replace(minimal(one.URL, ""), fmt.Sprintf("[%q]", one.URL), fmt.Sprintf("[%q, %q]", one.URL, two.URL), 1)
	d := open(t, newDir(t), text)
	serverOne := fmt.Sprintf("origins.app.servers[%s]", strings.TrimPrefix(one.URL, "http://"))
	answers := func(n int) map[string]int {
		seen := map[string]int{}
		for range n {
			status, body := get(t, d.addr.HTTP[0], "/", "")
			if status != http.StatusOK {
				body = fmt.Sprint(status)
			}
			seen[body]++
		}
		return seen
	}

	for _, state := range []string{`"drain"`, `"maint"`} {
		d.turn(t, serverOne+".state", state)
		if seen := answers(20); seen["two"] != 20 {
			t.Errorf("with one server in %s: %v", state, seen)
		}
	}
	d.turn(t, serverOne+".state", "")
	waitFor(t, "the server to be back", func() bool { return answers(5)["one"] > 0 })

	d.turn(t, "sites[*].maintenance", "true")
	if seen := answers(3); seen["503"] != 3 {
		t.Errorf("in maintenance: %v", seen)
	}
	d.turn(t, "sites[*].maintenance", "")
	if seen := answers(3); seen["503"] != 0 {
		t.Errorf("after maintenance: %v", seen)
	}

	d.turn(t, "origins.app.paused", "true")
	answered := make(chan int, 1)
	go func() {
		status, _ := get(t, d.addr.HTTP[0], "/", "")
		answered <- status
	}()
	waitFor(t, "the request to wait", func() bool {
		_, body := d.overSocket(t, http.MethodGet, "/origins/app", "")
		return strings.Contains(body, `"depth":1`)
	})
	d.turn(t, "origins.app.paused", "false")
	select {
	case status := <-answered:
		if status != http.StatusOK {
			t.Errorf("the request that waited got %d", status)
		}
	case <-time.After(10 * time.Second):
		t.Error("the request that waited was forgotten")
	}

	d.turn(t, "log.level", `"error"`)
	before := len(d.log.String())
	d.turn(t, "origins.app.retry.attempts", "1") // logged at level info
	if after := d.log.String(); len(after) != before {
		t.Errorf("at level error it logged %s", after[before:])
	}
}

func TestLevers_StandOverRestartAndReloadUntilTheyAreReset(t *testing.T) {
	dir, text := newDir(t), minimal(backend(t, "x").URL, "")
	d := open(t, dir, text)
	d.turn(t, "sites[*].maintenance", "true")
	d.stop()

	d = open(t, dir, text)
	if status, _ := get(t, d.addr.HTTP[0], "/", ""); status != http.StatusServiceUnavailable {
		t.Errorf("after a restart: %d", status)
	}
	if status, body := d.overSocket(t, http.MethodGet, "/status", ""); status != 200 || !strings.Contains(body, `"name":"sites[*].maintenance"`) {
		t.Errorf("status does not name the lever: %d %s", status, body)
	}
	result := d.server.Reload("test")
	if !result.OK || len(result.Levers) != 1 || !strings.Contains(result.Levers[0], "sites[*].maintenance is true (by ") {
		t.Errorf("the reload: %+v", result)
	}
	if status, _ := get(t, d.addr.HTTP[0], "/", ""); status != http.StatusServiceUnavailable {
		t.Errorf("after a reload: %d", status)
	}
	d.turn(t, "sites[*].maintenance", "")
	if status, _ := get(t, d.addr.HTTP[0], "/", ""); status != http.StatusOK {
		t.Errorf("after a reset: %d", status)
	}
}
