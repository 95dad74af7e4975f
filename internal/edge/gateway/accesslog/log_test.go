package accesslog

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

func newTestLog(t *testing.T, out io.Writer, buffer int) (*Log, *bytes.Buffer) {
	t.Helper()
	var said bytes.Buffer
	l := start(out, "", config.AccessLog{Buffer: buffer}, Options{
		Logger:  slog.New(slog.NewTextHandler(&said, nil)),
		Metrics: NewMetrics(prometheus.NewRegistry()),
	})
	return l, &said
}

// gated is a writer whose writes wait for the test.
type gated struct {
	mu      sync.Mutex
	entered chan struct{}
	leave   chan error // what Write answers
	text    bytes.Buffer
}

func newGated() *gated { return &gated{entered: make(chan struct{}, 100), leave: make(chan error)} }

func (g *gated) Write(p []byte) (int, error) {
	g.entered <- struct{}{}
	if err := <-g.leave; err != nil {
		n := len(p) / 2
		g.text.Write(p[:n])
		return n, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

func TestLog_LinesAreWrittenInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newGated()
		l, _ := newTestLog(t, out, 1000)
		for range 10 {
			l.Observe(&exchange.Exchange{Path: "/a"})
		}
		<-out.entered // after the linger
		out.leave <- nil
		synctest.Wait()
		if n := bytes.Count(out.text.Bytes(), []byte("\n")); n != 10 {
			t.Errorf("one write held %d lines, want 10", n)
		}
		l.Close()
	})
}

func TestLog_ASlowDiskNeverBlocksAndEveryDropIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newGated()
		l, said := newTestLog(t, out, 64)
		l.Observe(&exchange.Exchange{Path: "/first"})
		<-out.entered // the writer hangs in its write
		for range 100 {
			l.Observe(&exchange.Exchange{Path: "/a"}) // would block the test if it blocked
		}
		if got := testutil.ToFloat64(l.metrics.full); got != 36 {
			t.Errorf("%v lines dropped, want 36", got)
		}
		out.leave <- nil
		<-out.entered
		out.leave <- nil
		synctest.Wait()
		if n := bytes.Count(out.text.Bytes(), []byte("\n")); n != 65 {
			t.Errorf("%d lines written, want 65", n)
		}
		l.Close()
		if !strings.Contains(said.String(), "lines=36") {
			t.Errorf("the server's log says %q, want 36 lines dropped", said)
		}
	})
}

func TestLog_GoesOnAfterWriteErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := newGated()
		l, said := newTestLog(t, out, 64)
		full := errors.New("no space left on device")
		for range 3 { // the second and third write begin with the end of the torn line
			l.Observe(&exchange.Exchange{Path: "/lost"})
			<-out.entered
			out.leave <- full
			synctest.Wait()
		}
		l.Observe(&exchange.Exchange{Path: "/kept"})
		<-out.entered
		out.leave <- nil // the line end
		<-out.entered
		out.leave <- nil
		synctest.Wait()
		l.Close()

		lines := strings.Split(strings.TrimSpace(out.text.String()), "\n")
		if last := lines[len(lines)-1]; !strings.Contains(last, `"/kept"`) || !strings.HasPrefix(last, "{") {
			t.Errorf("the line after the trouble is %q", last)
		}
		if got := testutil.ToFloat64(l.metrics.failed); got != 3 {
			t.Errorf("%v lines counted as lost, want 3", got)
		}
		if n := strings.Count(said.String(), "access log lines dropped"); n != 1 {
			t.Errorf("complained %d times within a minute, want once: %s", n, said)
		}
		if !strings.Contains(said.String(), "written again") {
			t.Errorf("does not say that all is well again: %s", said)
		}
	})
}

func TestLog_ComplainsOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Skip("no /dev/full on this system")
		}
		l, said := newTestLog(t, f, 64)
		for range 130 {
			l.Observe(&exchange.Exchange{})
			time.Sleep(time.Second) // virtual
		}
		l.Close()
		if n := strings.Count(said.String(), "lines dropped"); n != 3 {
			t.Errorf("complained %d times in 130 seconds, want 3", n)
		}
		if got := testutil.ToFloat64(l.metrics.errors); got != 130 {
			t.Errorf("%v write errors counted, want 130", got)
		}
	})
}

func TestLog_ReopenGivesTheOldFileAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	l, err := Open(config.AccessLog{File: path, Buffer: 64}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.Observe(&exchange.Exchange{Path: "/before"})
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Observe(&exchange.Exchange{Path: "/after"})
	l.Close()
	all := ""
	for _, name := range []string{path + ".1", path} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	if !strings.Contains(all, "/before") || !strings.Contains(all, "/after") {
		t.Errorf("lines lost: %q", all)
	}
	if text, _ := os.ReadFile(path); !strings.Contains(string(text), "/after") {
		t.Errorf("the new file holds %q", text)
	}
}

func TestLog_ReopenKeepsTheOldFileWhenTheNewOneCannotBe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "access.log")
	l, err := Open(config.AccessLog{File: path, Buffer: 64}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Error("no error for a folder that is gone")
	}
	l.Observe(&exchange.Exchange{Path: "/kept"})
	l.Close()
	if text, _ := os.ReadFile(filepath.Join(dir+"-moved", "access.log")); !strings.Contains(string(text), "/kept") {
		t.Errorf("the old file holds %q", text)
	}
}

func TestOpen(t *testing.T) {
	if l, err := Open(config.AccessLog{File: "off"}, Options{}); l != nil || err != nil {
		t.Errorf("off gives %v, %v", l, err)
	}
	var none *Log
	none.Observe(&exchange.Exchange{})
	none.Close()
	if err := none.Reopen(); err != nil {
		t.Error(err)
	}
	if _, err := Open(config.AccessLog{File: filepath.Join(t.TempDir(), "no", "such")}, Options{}); err == nil {
		t.Error("no error for a folder that does not exist")
	}
	var out bytes.Buffer
	l, err := Open(config.AccessLog{File: "stdout", Buffer: 64}, Options{Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	l.Observe(&exchange.Exchange{Path: "/x"})
	l.Close()
	l.Close() // twice is fine
	if !strings.Contains(out.String(), "/x") {
		t.Errorf("stdout got %q", out.String())
	}
	l.Observe(&exchange.Exchange{Path: "/late"})
	if got := testutil.ToFloat64(l.metrics.full); got != 1 {
		t.Errorf("a line after Close: %v counted, want 1", got)
	}
}

func BenchmarkLog_Observe(b *testing.B) {
	l, err := Open(config.AccessLog{File: filepath.Join(b.TempDir(), "a.log"), Buffer: 8192}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	x := example()
	b.ReportAllocs()
	for b.Loop() {
		l.Observe(x)
	}
	b.ReportMetric(testutil.ToFloat64(l.metrics.full)/float64(b.N), "dropped/op")
}
