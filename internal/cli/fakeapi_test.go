package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

// then is the moment at which the fake API answers.
var then = time.Date(2021, 6, 8, 3, 12, 45, 0, time.UTC)

// reply is what the fake API answers to one question.
type reply struct {
	status int // 0: 200
	body   any // becomes JSON; *api.Problem and *api.RefusedReload go as problems
	events func(w io.Writer, flush func(), gone <-chan struct{})
}

// fakeAPI answers on a real unix socket what a test says, by "METHOD path" without
// /api/v1/. It remembers what it was asked, with query and body.
type fakeAPI struct {
	config string // path of a configuration that leads to the socket

	mu      sync.Mutex
	replies map[string]reply
	asked   []string
}

func newFakeAPI(t *testing.T, replies map[string]reply) *fakeAPI {
	t.Helper()
	t.Setenv("EVERGATE_SERVER", "")
	t.Setenv("EVERGATE_TOKEN", "")
	dir, err := os.MkdirTemp("", "eg") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := &fakeAPI{config: filepath.Join(dir, "evergate.yaml"), replies: replies}
	if err := os.WriteFile(f.config, []byte(fmt.Sprintf("node: {data_dir: %s}\n%s", dir, good)), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, adminsocket.Name))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return f
}

// set changes what it answers, all in one moment.
func (f *fakeAPI) set(replies map[string]reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.Copy(f.replies, replies)
}

// questions are what it was asked, in order.
func (f *fakeAPI) questions() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.asked...)
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	question := r.Method + " " + strings.TrimPrefix(r.RequestURI, "/api/v1/")
	what, _, _ := strings.Cut(question, "?")
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimSpace(question+" "+string(body)))
	answer, known := f.replies[what]
	f.mu.Unlock()
	w.Header().Set("Date", then.Format(http.TimeFormat))
	problem, isProblem := answer.body.(*api.Problem)
	if refused, ok := answer.body.(*api.RefusedReload); ok {
		problem, isProblem = &refused.Problem, true
	}
	switch {
	case !known:
		http.NotFound(w, r)
	case answer.events != nil:
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		answer.events(w, func() { _ = control.Flush() }, r.Context().Done())
	case isProblem:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(problem.Status)
		_ = json.NewEncoder(w).Encode(answer.body)
	default:
		w.Header().Set("Content-Type", "application/json")
		if answer.status != 0 {
			w.WriteHeader(answer.status)
		}
		_ = json.NewEncoder(w).Encode(answer.body)
	}
}

// run runs a command against f.
func (f *fakeAPI) run(args ...string) (code int, stdout, stderr string) {
	return run(append(args, "--config", f.config)...)
}
