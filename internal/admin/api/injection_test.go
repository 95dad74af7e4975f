package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/evergate/evergate/internal/admin/token"
)

// steering is what a name could have in it to look like more than a name.
const steering = "x\r\nSet-Cookie: a=b\r\n\r\ndata: evil\n\nid: 1\x1b[31m\u202e"

func TestANameInAnAnswerStaysANameInIt(t *testing.T) {
	f := newFixture(t)
	name := url.PathEscape(steering)
	for _, path := range []string{"/levers/" + name, "/levers/" + name + "/history", "/origins/" + name, "/origins/booking/servers/" + name, "/" + name, "/levers?" + name} {
		w := f.ask(http.MethodGet, base+path, "")
		if w.Code < 400 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %v in %q", path, err, w.Body)
		}
		for key, values := range w.Header() {
			if strings.ContainsAny(key+strings.Join(values, ""), "\r\n\x1b") {
				t.Errorf("%s: header %q %q", path, key, values)
			}
		}
	}
	if strings.Contains(f.log.String(), "\nSet-Cookie") || strings.Contains(f.log.String(), "\x1b") {
		t.Errorf("the log has\n%s", f.log.String())
	}
}

func TestAPathLeadsNobodyToAnotherHost(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"//evil.example/api/", "/api//evil.example/", "/api/..//evil.example", "/api/%2F%2Fevil.example/..", "/api/v1/../..//evil.example/api", `/api/\evil.example/..`} {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			continue
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL = u
		r.Header.Set("Authorization", "Bearer "+f.tokens[token.Admin])
		w := f.do(r)
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) || strings.Contains(to, "://") {
			t.Errorf("%s leads to %s", path, to)
		}
	}
}

func TestStream_DataIsOneLineWhateverIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		stop, ended := f.follow(w, token.Viewer)
		synctest.Wait()
		w.take()
		f.events.Publish(Event{EventLever, Lever{Name: steering, Actor: steering, Reason: steering, Value: json.RawMessage("{\n\n\"a\":\r\n1}"), File: json.RawMessage("\n1\n")}})
		f.events.Publish(Event{EventCondition, Condition{Name: steering, Summary: steering, Detail: "a\u2028b"}})
		synctest.Wait()
		events, _ := w.take()
		if len(events) != 2 || events[0].kind != "lever" || events[1].kind != "condition" {
			t.Fatalf("the client sees %+v", events)
		}
		var lever Lever
		if err := json.Unmarshal([]byte(events[0].data), &lever); err != nil || lever.Name != steering {
			t.Errorf("%v, %q", err, events[0].data)
		}
		if strings.ContainsAny(events[0].data+events[1].data, "\r\n\x1b") {
			t.Errorf("the data steers: %q", events)
		}
		stop()
		<-ended
	})
}
