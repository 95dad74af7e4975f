package cli

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

func TestValidate_SaysWhatTheOneThatRunsWouldMakeOfTheFile(t *testing.T) {
	f := newFakeAPI(t, map[string]reply{"GET levers": {body: api.LeverList{At: then, Levers: []api.Lever{
		{Name: "log.level", Type: "word", Value: raw(`"info"`), File: raw(`"debug"`)},
		{
			Name: "origins.app.max_in_flight", Type: "integer", Value: raw("100"), File: raw("0"), Set: true, Version: 4,
			Actor: "alice", Reason: "database is slow\x1b[2J", Since: before(3 * time.Minute),
		},
	}}}})
	code, stdout, stderr := f.run("validate")
	if code != exitOK || !strings.Contains(stdout, " is good: ") {
		t.Errorf("code %d, stdout %q", code, stdout)
	}
	for _, want := range []string{
		"lever: log.level is info now: the file said debug before.\n",
		"lever: origins.app.max_in_flight is 100 (by alice, 2021-06-08 03:09:45 UTC: database is slow", "): the file says 0.\n",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is missing in\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "\x1b") {
		t.Errorf("a reason steers the terminal: %q", stderr)
	}
	if asked := f.questions(); len(asked) != 1 || asked[0] != "GET levers" {
		t.Errorf("it asked %q", asked)
	}
}

func TestValidate_IsContentWithoutAnAnswer(t *testing.T) {
	t.Run("of one that may not tell", func(t *testing.T) {
		f := newFakeAPI(t, map[string]reply{"GET levers": {body: &api.Problem{Status: http.StatusForbidden, Title: "no", Detail: "no"}}})
		if code, _, stderr := f.run("validate"); code != exitOK || stderr != "" {
			t.Errorf("code %d, stderr %q", code, stderr)
		}
	})
	t.Run("of one that hangs", func(t *testing.T) {
		f := newFakeAPI(t, map[string]reply{"GET levers": {events: func(_ io.Writer, flush func(), gone <-chan struct{}) {
			flush()
			<-gone
		}}})
		begun := time.Now()
		if code, _, stderr := f.run("validate"); code != exitOK || stderr != "" || time.Since(begun) > 2*validateAsks {
			t.Errorf("code %d, stderr %q after %s", code, stderr, time.Since(begun))
		}
	})
	t.Run("of a socket that a dead process left behind", func(t *testing.T) {
		dir, err := os.MkdirTemp("", "eg") // a socket's path must be short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, adminsocket.Name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		if err := dead.Close(); err != nil {
			t.Fatal(err)
		}
		path := write(t, "node: {data_dir: "+dir+"}\n"+good)
		if code, _, stderr := run("validate", "--config", path); code != exitOK || stderr != "" {
			t.Errorf("code %d, stderr %q", code, stderr)
		}
	})
}
