package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// transport answers without a network, so that time can be virtual.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// streamOf is an answer with this body.
func streamOf(body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body)}
}

// diary is a Follower that writes down what it hears, with the time since start.
type diary struct {
	start time.Time
	lines []string
	stop  func() // called at each event
	err   error  // of Event
}

func (d *diary) note(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf("%.0f s: ", time.Since(d.start).Truncate(time.Second).Seconds())+fmt.Sprintf(format, args...))
}

func (d *diary) Event(e Event) error {
	d.note("event %s", e.Data)
	if d.stop != nil {
		d.stop()
	}
	return d.err
}
func (d *diary) Lost(err error, _ time.Duration) { d.note("lost: %v", err) }
func (d *diary) Back()                           { d.note("back") }

func follower(answer transport) *Client {
	c := &Client{where: "door", root: "http://localhost", socket: "door"}
	c.http.Transport = answer
	return c
}

func TestFollow_GetsABrokenStreamBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := follower(func(req *http.Request) (*http.Response, error) {
			tries++
			switch tries {
			case 2:
				return nil, errors.New("refused")
			case 3:
				r, w := io.Pipe() // one event, then silence
				go func() { _, _ = io.WriteString(w, "data: b\n\n") }()
				context.AfterFunc(req.Context(), func() { _ = w.CloseWithError(req.Context().Err()) })
				return streamOf(r), nil
			case 4:
				return streamOf(strings.NewReader("data: c\n\n")), nil
			}
			return streamOf(strings.NewReader("data: a\n\nevent: end\ndata: {\"reason\": \"Evergate stops\", \"again\": true}\n\n")), nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		d := &diary{start: time.Now()}
		d.stop = func() {
			if tries == 4 {
				cancel()
			}
		}
		if err := c.Follow(ctx, d); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, line := range d.lines {
			_, kind, _ := strings.Cut(line, ": ")
			kinds = append(kinds, kind)
		}
		want := []string{
			"event a", "lost: listen to door: Evergate stops", "lost: ask over door: refused",
			"back", "event b", "lost: listen to door: not a word for 20s", "back", "event c",
		}
		if !reflect.DeepEqual(kinds, want) {
			t.Errorf("heard %q", d.lines)
		}
		if took := time.Since(d.start); took < silence+3*time.Second || took > silence+6*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestFollow_EndsWhenTryingAgainWouldNotHelp(t *testing.T) {
	refusal := func(status int) transport {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"application/problem+json"}},
				Body: io.NopCloser(strings.NewReader(`{"detail": "no"}`))}, nil
		}
	}
	var problem *Problem
	if err := follower(refusal(403)).Follow(t.Context(), &diary{}); !errors.As(err, &problem) || problem.Status != 403 {
		t.Errorf("got %v", err)
	}
	mine := errors.New("the screen is gone")
	c := follower(func(*http.Request) (*http.Response, error) { return streamOf(strings.NewReader("data: a\n\n")), nil })
	if err := c.Follow(t.Context(), &diary{err: mine}); !errors.Is(err, mine) {
		t.Errorf("got %v, want the follower's own error", err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		d := &diary{start: time.Now()}
		if err := follower(refusal(503)).Follow(ctx, d); err != nil || len(d.lines) < 8 {
			t.Errorf("got %v, %q", err, d.lines)
		}
	})
}
