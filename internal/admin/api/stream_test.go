package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

// wire is the answer of a stream, for tests in virtual time.
type wire struct {
	header http.Header
	hold   chan struct{} // not nil: writes wait until it is closed

	mu     sync.Mutex // guards the fields below
	status int
	text   strings.Builder
	broken bool
}

func newWire() *wire { return &wire{header: http.Header{}} }

func (w *wire) Header() http.Header { return w.header }

func (w *wire) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = status
}

func (w *wire) Write(p []byte) (int, error) {
	if w.hold != nil {
		<-w.hold
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, errors.New("the client is gone")
	}
	return w.text.Write(p)
}

func (w *wire) Flush() {}

// seen is one event as a client reads it.
type seen struct{ id, kind, data string }

// take returns what was written since the last call: the events, and the number
// of comments.
func (w *wire) take() (events []seen, comments int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var e seen
	for line := range strings.SplitSeq(w.text.String(), "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if e.kind != "" {
				events = append(events, e)
			}
			e = seen{}
		case name == "":
			comments++
		case name == "id":
			e.id = value
		case name == "event":
			e.kind = value
		case name == "data":
			e.data = value
		}
	}
	w.text.Reset()
	return events, comments
}

// follow opens a stream in the background. stop ends it as a client that goes
// away does; ended is closed when the handler has returned.
func (f *fixture) follow(w http.ResponseWriter, role token.Role) (stop func(), ended <-chan struct{}) {
	r := f.request(http.MethodGet, base+"/events", "")
	r.Header.Set("Authorization", "Bearer "+f.tokens[role])
	r.Header.Set("Last-Event-ID", "17")
	ctx, cancel := context.WithCancel(r.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.handler.ServeHTTP(w, r.WithContext(ctx))
	}()
	return cancel, done
}

func TestStream_BeginsWithTheFullState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		stop, ended := f.follow(w, token.Viewer)
		synctest.Wait()
		events, _ := w.take()
		var state FullState
		if len(events) != 1 || events[0].kind != "state" || events[0].id != "1" || json.Unmarshal([]byte(events[0].data), &state) != nil {
			t.Fatalf("got %+v", events)
		}
		if state.Status.Node != "door-1" || len(state.Origins) != 1 || len(state.Levers) == 0 {
			t.Errorf("the state is %+v", state)
		}
		if w.header.Get("Content-Type") != streamType || w.status != http.StatusOK {
			t.Errorf("status %d, headers %v", w.status, w.header)
		}
		stop()
		<-ended
	})
}

func TestStream_TellsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		stop, ended := f.follow(w, token.Viewer)
		synctest.Wait()
		w.take()
		f.events.Publish(Event{EventLever, Lever{Name: "origins.booking.paused"}})
		f.events.Publish(Event{EventCondition, Condition{Name: "store", Severity: Failing, Summary: "two\nlines"}})
		synctest.Wait()
		events, _ := w.take()
		if len(events) != 2 || events[0].kind != "lever" || events[1].kind != "condition" || events[1].id != "3" {
			t.Fatalf("got %+v", events)
		}
		if !strings.Contains(events[1].data, `two\nlines`) {
			t.Errorf("the data is %s", events[1].data)
		}
		stop()
		<-ended
		f.events.Publish(Event{EventReload, Reload{}}) // to nobody
		if len(f.events.listeners) != 0 {
			t.Error("a client that is gone is still listened for")
		}
	})
}

func TestStream_ShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		stop, ended := f.follow(w, token.Viewer)
		time.Sleep(31 * time.Second) // virtual
		synctest.Wait()
		events, comments := w.take()
		figures := 0
		for _, e := range events {
			if e.kind == "figures" && strings.Contains(e.data, `"requests_per_second":12`) {
				figures++
			}
		}
		if figures != 15 || comments != 2 {
			t.Errorf("%d figures and %d comments in 31 s, want 15 and 2", figures, comments)
		}
		stop()
		<-ended
	})
}

func TestStream_DropsAClientThatReadsTooSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		w.hold = make(chan struct{})
		_, ended := f.follow(w, token.Viewer)
		synctest.Wait()
		for i := range streamBuffer + 1 {
			f.events.Publish(Event{EventCondition, Condition{Name: fmt.Sprint(i)}})
		}
		close(w.hold) // the client reads again
		<-ended
		events, _ := w.take()
		last := events[len(events)-1]
		if last.kind != "end" || !strings.Contains(last.data, "too slowly") || !strings.Contains(last.data, `"again":true`) {
			t.Errorf("the last event is %+v", last)
		}
		if len(events) > streamBuffer+3 {
			t.Errorf("%d events came, more than were kept", len(events))
		}
	})
}

func TestStream_EndsWhenItsTokenDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		_, ended := f.follow(w, token.Viewer)
		synctest.Wait()
		for _, known := range f.keeper.List() {
			if known.Role == token.Viewer {
				if _, err := f.keeper.Revoke(t.Context(), known.ID, "root", "x"); err != nil {
					t.Fatal(err)
				}
			}
		}
		<-ended // within two seconds of virtual time, or the bubble hangs
		events, _ := w.take()
		if last := events[len(events)-1]; last.kind != "end" || !strings.Contains(last.data, "revoked") {
			t.Errorf("the last event is %+v", last)
		}
	})
}

func TestStream_EndsWhenItsClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, w := newFixture(t), newWire()
		_, ended := f.follow(w, token.Viewer)
		synctest.Wait()
		w.mu.Lock()
		w.broken = true
		w.mu.Unlock()
		<-ended // the next figures cannot be written
	})
}

func TestStream_ThereAreNotTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for _, role := range token.Roles() {
			for range maxStreamsEach {
				stop, _ := f.follow(newWire(), role)
				defer stop()
			}
			synctest.Wait()
			w := newWire()
			_, ended := f.follow(w, role)
			<-ended
			if w.status != http.StatusServiceUnavailable || w.header.Get("Retry-After") == "" {
				t.Errorf("one more of %s: %d, %v", role, w.status, w.header)
			}
		}
		if len(f.events.listeners) != maxStreams {
			t.Fatalf("%d streams are open, want %d for the test", len(f.events.listeners), maxStreams)
		}
		if _, err := f.events.listen("somebody else", false); !errors.Is(err, errStreams) {
			t.Errorf("one more of somebody else: %v", err)
		}
		if _, err := f.events.listen("/root", true); err != nil {
			t.Errorf("one of who could end the process: %v", err)
		}
	})
}

func TestStream_AnswersAHEADAtOnce(t *testing.T) {
	f := newFixture(t)
	if w := f.ask(http.MethodHead, base+"/events", ""); w.Code != http.StatusOK || w.Body.Len() > 0 || len(f.events.listeners) > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStream_EndsWithTheProcess(t *testing.T) {
	f := newFixture(t)
	client := overSocket(t, f)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	lines.Scan() // the first event is there: the stream listens
	f.events.Close()
	f.events.Close() // twice is no mistake
	var last string
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			last = data
		}
	}
	if lines.Err() != nil || !strings.Contains(last, "Evergate stops") {
		t.Errorf("the stream ended with %q and %v", last, lines.Err())
	}
	if w := f.ask(http.MethodGet, base+"/events", ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a stream after the end: %d", w.Code)
	}
}
