package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
)

// heard is one event of a stream.
type heard struct {
	kind api.EventKind
	data []byte
}

// follow opens a stream and hands over its events until it ends, which closes the channel.
func (o *operator) follow(t *testing.T) <-chan heard {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.base+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.token != "" {
		r.Header.Set("Authorization", "Bearer "+o.token)
	}
	resp, err := o.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the stream answers %d", resp.StatusCode)
	}
	events := make(chan heard, 1024)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var now heard
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				now.kind = api.EventKind(value)
			case "data":
				now.data = []byte(value)
			case "":
				if now.kind != "" {
					events <- now
				}
				now = heard{}
			}
		}
	}()
	return events
}

// wait passes over events until one of its kind is as wanted.
func wait[T any](t *testing.T, events <-chan heard, kind api.EventKind, what string, wanted func(T) bool) T {
	t.Helper()
	limit := time.After(15 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				t.Fatalf("the stream ended before %s", what)
			}
			if e.kind != kind {
				continue
			}
			var data T
			if err := json.Unmarshal(e.data, &data); err != nil {
				t.Fatalf("%s: %v in %s", kind, err, e.data)
			}
			if wanted(data) {
				return data
			}
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestEvents_ShowWhatHappensUntilTheDoorStops(t *testing.T) {
	var ill atomic.Bool
	one, two := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})), backend(t, "two")
	t.Cleanup(one.Close)
	text := strings.Replace(minimal(one.URL, ""), fmt.Sprintf("[%q]}", one.URL),
		fmt.Sprintf("[%q, %q], health: {active: {interval: 20ms, rise: 1, fall: 1}, slow_start: 0s}}", one.URL, two.URL), 1)
	d := open(t, newDir(t), text)
	events := d.socketOperator().follow(t)
	address := strings.TrimPrefix(one.URL, "http://")

	wait(t, events, api.EventState, "the full state", func(s api.FullState) bool {
		return s.Status.Phase == api.Serving && len(s.Origins) == 1 && len(s.Levers) > 0
	})
	d.turn(t, "origins.app.max_in_flight", "9")
	wait(t, events, api.EventLever, "the lever", func(l api.Lever) bool {
		return l.Name == "origins.app.max_in_flight" && string(l.Value) == "9" && l.Set && l.Actor != "" && l.Reason == "test"
	})

	is := func(health string) func(api.ServerEvent) bool {
		return func(e api.ServerEvent) bool {
			return e.Origin == "app" && e.Server.Address == address && e.Server.Health == health
		}
	}
	usable := func(severity api.Severity) func(api.Condition) bool {
		return func(c api.Condition) bool {
			return c.Name == "origin app" && c.Severity == severity && !c.Since.IsZero()
		}
	}
	ill.Store(true)
	wait(t, events, api.EventServer, "the server to fall ill", func(e api.ServerEvent) bool {
		return is("ejected")(e) || is("down")(e)
	})
	wait(t, events, api.EventCondition, "the condition of its origin", usable(api.Warning))
	ill.Store(false)
	wait(t, events, api.EventServer, "the server to be well again", is("up"))
	wait(t, events, api.EventCondition, "the condition to be over", usable(api.OK))

	write(t, d.dir, "sites: [")
	d.server.Reload("anna")
	wait(t, events, api.EventReload, "the reload that was refused", func(r api.Reload) bool { return !r.OK && len(r.Problems) > 0 })
	wait(t, events, api.EventFigures, "figures", func(f api.Figures) bool { return time.Since(f.At) < 5*time.Second })

	d.stop()
	wait(t, events, api.EventEnd, "the end", func(e api.End) bool { return e.Again && e.Reason != "" })
	if e, open := <-events; open {
		t.Errorf("after its end the stream says %s", e.kind)
	}
}

func TestEvents_EndWithTheTokenThatAskedForThem(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, ""))
	made, secret, err := d.server.tokens.Create(t.Context(), "wall", token.Viewer, time.Time{}, "root")
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{base: "http://" + d.addr.Admin, client: &http.Client{Transport: &http.Transport{}}, token: secret}
	events := o.follow(t)
	wait(t, events, api.EventState, "the full state", func(api.FullState) bool { return true })
	if status, body := d.overSocket(t, http.MethodDelete, "/tokens/"+made.ID+"?reason=lost", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	wait(t, events, api.EventEnd, "the end", func(e api.End) bool { return !e.Again && strings.Contains(e.Reason, "revoked") })
	if e, open := <-events; open {
		t.Errorf("after its end the stream says %s", e.kind)
	}
}

func TestEvents_FiguresDoNotComeMoreOftenThanTheDocumentSays(t *testing.T) {
	d := open(t, newDir(t), minimal(backend(t, "x").URL, ""))
	events := d.socketOperator().follow(t)
	wait(t, events, api.EventState, "the full state", func(api.FullState) bool { return true })
	begun := time.Now()
	for range 20 {
		d.server.lookAround(time.Now())
	}
	d.turn(t, "log.level", `"warn"`)
	figures := 0
	for e := range events {
		if e.kind == api.EventLever {
			break
		}
		if e.kind == api.EventFigures {
			figures++
		}
	}
	if most := 1 + int(time.Since(begun)/(2*time.Second)); figures > most {
		t.Errorf("%d figures in %s, want at most %d", figures, time.Since(begun), most)
	}
}
