package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// leverCase is a lever with how its value shows in the door's traffic or log.
type leverCase struct {
	name, value, file string
	shows             func(t *testing.T, d *door) string // the value, as what happens tells it
}

// answers counts the bodies of n answers of the door; a status that is not 200
// stands for its body.
func (d *door) answers(t *testing.T, n int) map[string]int {
	t.Helper()
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

// asked sends a request to the door and returns where its answer will be.
func (d *door) asked(ctx context.Context) <-chan int {
	status := make(chan int, 1)
	go func() {
		defer close(status) // an error is 0
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.addr.HTTP[0]+"/", nil)
		if err != nil {
			return
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		status <- resp.StatusCode
	}()
	return status
}

// waiting reports whether n requests wait for the origin.
func (d *door) waiting(t *testing.T, n int) bool {
	t.Helper()
	_, body := d.overSocket(t, http.MethodGet, "/origins/app", "")
	return strings.Contains(body, fmt.Sprintf(`"depth":%d`, n))
}

// showsPause tells whether a request waits, and leaves none behind.
func showsPause(t *testing.T, d *door) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	status, got := d.asked(ctx), -1
	waitFor(t, "the request to wait or to be answered", func() bool {
		select {
		case got = <-status:
			return true
		default:
			return d.waiting(t, 1)
		}
	})
	if got >= 0 {
		return map[bool]string{true: "false", false: fmt.Sprint(got)}[got == http.StatusOK]
	}
	cancel()
	<-status
	waitFor(t, "the request to leave", func() bool { return d.waiting(t, 0) })
	return "true"
}

func showsMaintenance(t *testing.T, d *door) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.addr.HTTP[0]+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
		return "false"
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "" &&
		strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
		return "true"
	}
	return fmt.Sprint(resp.StatusCode, resp.Header)
}

// showsLevel tells whether what is logged at level info is there: that a lever was
// turned.
func showsLevel(t *testing.T, d *door) string {
	t.Helper()
	before := len(d.log.String())
	d.turn(t, "origins.app.retry.attempts", "1")
	d.turn(t, "origins.app.retry.attempts", "2")
	if strings.Contains(d.log.String()[before:], "retry.attempts") {
		return `"info"`
	}
	return `"warn"`
}

func TestLevers_EachActsAndStandsUntilItIsReset(t *testing.T) {
	one, two := backend(t, "one"), backend(t, "two")
	text := strings.Replace(minimal(one.URL, ""), fmt.Sprintf("[%q]}", one.URL),
		fmt.Sprintf("[%q, %q], balance: round_robin, health: {slow_start: 0s}}", one.URL, two.URL), 1)
	text = strings.Replace(text, "log: {", "log: {level: warn, ", 1)
	other := strings.Replace(text, "\nsites:", fmt.Sprintf("\n  spare: {servers: [%q]}\nsites:", two.URL), 1)
	for _, c := range []leverCase{
		{"origins.app.paused", "true", "false", showsPause},
		{"sites[*].maintenance", "true", "false", showsMaintenance},
		{"log.level", `"info"`, `"warn"`, showsLevel},
		{fmt.Sprintf("origins.app.servers[%s].state", strings.TrimPrefix(one.URL, "http://")), `"drain"`, `"up"`, func(t *testing.T, d *door) string {
			t.Helper()
			switch seen := d.answers(t, 20); {
			case seen["two"] == 20:
				return `"drain"`
			case seen["one"] > 0 && seen["one"]+seen["two"] == 20:
				return `"up"`
			default:
				return fmt.Sprint(seen)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := newDir(t)
			d := open(t, dir, text)
			check := func(when, value string) {
				t.Helper()
				if got := c.shows(t, d); got != value {
					t.Errorf("%s: what happens is as with %s, want %s", when, got, value)
				}
				var lever struct {
					Value, File json.RawMessage
					Set         bool
				}
				_, body := d.overSocket(t, http.MethodGet, "/levers/"+url.PathEscape(c.name), "")
				if err := json.Unmarshal([]byte(body), &lever); err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				if string(lever.Value) != value || string(lever.File) != c.file || lever.Set != (value != c.file) {
					t.Errorf("%s: the lever is %s", when, body)
				}
			}
			reload := func(text string) {
				t.Helper()
				write(t, dir, text)
				if status, body := d.overSocket(t, http.MethodPost, "/reload", ""); status != http.StatusOK || !strings.Contains(body, `"ok":true`) {
					t.Fatalf("reload: %d %s", status, body)
				}
			}
			check("at first", c.file)
			d.turn(t, c.name, c.value)
			check("turned", c.value)
			reload(other)
			check("after a reload", c.value)
			d.stop()
			d = open(t, dir, other)
			check("after a restart", c.value)
			reload(text)
			check("after a restart and a reload", c.value)
			d.turn(t, c.name, "")
			check("reset", c.file)
			d.stop()
			d = open(t, dir, text)
			check("reset and after a restart", c.file)
		})
	}
}

func TestLevers_APauseHoldsARequestOverAReloadUntilItEnds(t *testing.T) {
	text := minimal(backend(t, "x").URL, "")
	d := open(t, newDir(t), text)
	for _, end := range []string{"false", ""} {
		d.turn(t, "origins.app.paused", "true")
		status := d.asked(t.Context())
		waitFor(t, "the request to wait", func() bool { return d.waiting(t, 1) })
		if code, body := d.overSocket(t, http.MethodPost, "/reload", ""); code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
		select {
		case got := <-status:
			t.Fatalf("a reload ended the pause: %d", got)
		default:
		}
		d.turn(t, "origins.app.paused", end)
		if got := <-status; got != http.StatusOK {
			t.Errorf("ended with %q: the request that waited got %d", end, got)
		}
	}
}
