package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/terminal"
)

// output is a buffer that may be read while a command writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await polls until out has text, and fails the test when it does not come.
func await(t *testing.T, out *output, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(out.String(), text) {
			return
		}
	}
	t.Fatalf("%q did not come; there is\n%s", text, out.String())
}

// stream is a fake stream of events that a test feeds and breaks.
type stream struct{ events chan string } // "": it breaks off

func (s stream) reply() reply {
	return reply{events: func(w io.Writer, flush func(), gone <-chan struct{}) {
		_, _ = io.WriteString(w, "event: state\ndata: {}\n\n")
		flush()
		for {
			select {
			case e := <-s.events:
				if e == "" {
					return
				}
				_, _ = fmt.Fprintf(w, "event: %s\ndata: {}\n\n", e)
				flush()
			case <-gone:
				return
			}
		}
	}}
}

// watching runs a command that watches until the test ends, and returns what it
// writes and a func that ends it and returns its error.
func watching(t *testing.T, f *fakeAPI, args ...string) (stdout, stderr *output, end func() error) {
	t.Helper()
	stdout, stderr = &output{}, &output{}
	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot()
	root.SetArgs(append(args, "--watch", "--config", f.config))
	root.SetOut(stdout)
	root.SetErr(stderr)
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	end = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = end() })
	return stdout, stderr, end
}

func TestWatch_PrintsWhatChanges(t *testing.T) {
	replies := answers()
	quiet := sampleOrigins()
	quiet.Origins = nil
	replies["GET origins"] = reply{body: quiet}
	s := stream{make(chan string)}
	replies["GET events"] = s.reply()
	f := newFakeAPI(t, replies)
	stdout, _, end := watching(t, f, "status")
	await(t, stdout, "door-1 is serving\n")

	f.set(map[string]reply{"GET status": {body: trouble()}, "GET origins": {body: sampleOrigins()}})
	s.events <- "condition"
	await(t, stdout, "lever origins.booking.servers[10.0.0.12:8080].state = drain")

	f.set(map[string]reply{"GET status": {body: calm()}})
	s.events <- "condition"
	await(t, stdout, "store is well again")

	s.events <- ""
	await(t, stdout, "connection lost: ")
	await(t, stdout, "connected again")
	if err := end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	text := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d`).ReplaceAllString(stdout.String(), "00:00:00")
	text = regexp.MustCompile(`/\S+admin.sock`).ReplaceAllString(text, "admin.sock")
	text = regexp.MustCompile(`again in \d s`).ReplaceAllString(text, "again in 1 s")
	golden(t, "testdata/operate/status-watch.txt", []byte(text))
}

func TestWatch_PrintsALineOfJSONForEveryAnswer(t *testing.T) {
	replies := answers()
	s := stream{make(chan string)}
	replies["GET events"] = s.reply()
	f := newFakeAPI(t, replies)
	stdout, stderr, end := watching(t, f, "levers", "-o", "json")
	s.events <- ""
	await(t, stderr, "connected again\n")
	if err := end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	for line := range strings.Lines(stdout.String()) {
		if !strings.HasPrefix(line, `{"at":"2021-06-08T03:12:45Z","levers":[`) {
			t.Errorf("there is the line %s", line)
		}
	}
}

func TestWatch_EndsWhenItMayNotListen(t *testing.T) {
	replies := answers()
	replies["GET events"] = reply{body: &api.Problem{Status: 403, Title: "Forbidden", Detail: "no"}}
	f := newFakeAPI(t, replies)
	code, _, stderr := f.run("origins", "--watch")
	if code != exitFailed || !strings.Contains(stderr, "evergate: no\n") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

func TestWatch_FailsAtOnceWhenNobodyRuns(t *testing.T) {
	code, _, stderr := run("status", "--watch", "--config", write(t, good))
	if code != exitFailed || !strings.Contains(stderr, "no Evergate is running there") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

func TestScreenShower_RedrawsAndLeavesTheLastPictureBehind(t *testing.T) {
	var out bytes.Buffer
	s := &screenShower[int]{
		screen: &screen{out: &out, size: func() (int, int) { return 30, 4 }},
		text: func(n int, _ time.Time) []string {
			return []string{"one", "two", fmt.Sprintf("%d and a tail that is too long for it", n)}
		},
	}
	steps := []error{s.begin(), s.show(client.Answer[int]{Value: 7}), s.note("connection lost"), s.note(""), s.end()}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	picture := terminal.ToTop + terminal.ClearLine + "one\r\n" + terminal.ClearLine + "two\r\n" + terminal.ClearLine + "7 and a tail that is too long " + terminal.ClearBelow
	lost := terminal.ToTop + terminal.ClearLine + "connection lost\r\n" + terminal.ClearLine + "What follows is what was known\r\n" + terminal.ClearLine + "\r\n" +
		terminal.ClearLine + "(3 lines more; a taller window" + terminal.ClearBelow
	want := terminal.EnterSecond + picture + lost + picture + terminal.LeaveSecond + "one\ntwo\n7 and a tail that is too long for it\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}
