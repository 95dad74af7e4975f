// Package accesslog writes one line of JSON per request, never in a request's way.
//
// A request encodes its line and copies it into a buffer in memory; one
// goroutine swaps that buffer for an empty one and writes it in one piece. When
// the disk is slower than the requests, the buffer is full and lines are
// dropped; when the disk refuses (full, gone), lines are dropped too. Both are
// counted, and the server's own log says so, once a minute at most. Nothing is
// synced: the access log is a record of service, not of evidence.
package accesslog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	// linger is how long a line may wait for company before it is written.
	linger = 100 * time.Millisecond
	// batch is the size at which waiting lines are written at once.
	batch = 64 << 10
	// perLine is what a line of the configured buffer may hold on average.
	perLine = 1 << 10
	// complainEvery is how often the server's log hears of the same trouble.
	complainEvery = time.Minute
	// closeWithin bounds Close when the disk hangs.
	closeWithin = 5 * time.Second
)

// Options are what a log needs beside its configuration. The zero value is usable.
type Options struct {
	Stdout  io.Writer    // where "stdout" goes; nil: os.Stdout
	Logger  *slog.Logger // hears of trouble; nil: slog's default
	Metrics *Metrics     // nil: not counted
	Clock   clock.Clock
}

// Log is an access log. It implements gateway.Observer. Its methods are safe for
// concurrent use; those of a nil Log do nothing.
type Log struct {
	logger    *slog.Logger
	metrics   *Metrics
	clock     clock.Clock
	hide      redaction
	stamps    stamps
	path      string // "" when not a file of ours
	mostLines int
	mostBytes int

	mu      sync.Mutex // guards the fields below
	pending []byte     // whole lines
	lines   int        // in pending
	dropped int        // since the last complaint
	closed  bool

	wake  chan struct{} // holds one: there is a line
	full  chan struct{} // holds one: there is a batch
	stop  chan struct{} // closed by Close
	done  chan struct{} // closed when the writer has ended
	next  atomic.Pointer[os.File]
	scrap sync.Pool // *[]byte, for lines being encoded
}

// Open opens the log that cfg describes. It returns nil for "off".
func Open(cfg config.AccessLog, o Options) (*Log, error) {
	switch cfg.File {
	case "off":
		return nil, nil
	case "stdout":
		return start(cmp.Or[io.Writer](o.Stdout, os.Stdout), "", cfg, o), nil
	}
	f, err := openFile(cfg.File)
	if err != nil {
		return nil, err
	}
	return start(f, cfg.File, cfg, o), nil
}

func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open access log: %w", err)
	}
	return f, nil
}

// start makes the log and its writer. path is "" for an out that cannot be reopened.
func start(out io.Writer, path string, cfg config.AccessLog, o Options) *Log {
	l := &Log{
		logger:    cmp.Or(o.Logger, slog.Default()),
		metrics:   o.Metrics,
		clock:     o.Clock,
		hide:      newRedaction(cfg.RedactQuery),
		path:      path,
		mostLines: max(cfg.Buffer, 1),
		mostBytes: max(cfg.Buffer, batch/perLine) * perLine,
		wake:      make(chan struct{}, 1),
		full:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	if l.metrics == nil {
		l.metrics = NewMetrics(nil)
	}
	l.scrap.New = func() any { b := make([]byte, 0, perLine); return &b }
	go l.write(out)
	return l
}

// Observe writes x. It copies what it needs and waits for nobody.
func (l *Log) Observe(x *exchange.Exchange) {
	if l == nil {
		return
	}
	scrap := l.scrap.Get().(*[]byte)
	line := appendLine((*scrap)[:0], x, l.hide, &l.stamps)
	l.append(line)
	*scrap = line
	l.scrap.Put(scrap)
}

func (l *Log) append(line []byte) {
	l.mu.Lock()
	if l.closed || l.lines >= l.mostLines || len(l.pending)+len(line) > l.mostBytes {
		l.dropped++
		l.mu.Unlock()
		l.metrics.full.Inc()
		return
	}
	before := len(l.pending)
	l.pending = append(l.pending, line...)
	after := len(l.pending)
	l.lines++
	l.mu.Unlock()

	if before == 0 {
		signal(l.wake)
	}
	if before < batch && after >= batch {
		signal(l.full)
	}
}

// Reopen opens the file anew, so that logrotate can have the old one. On error
// the old one stays in use. It does nothing for stdout.
func (l *Log) Reopen() error {
	if l == nil || l.path == "" {
		return nil
	}
	f, err := openFile(l.path)
	if err != nil {
		return err
	}
	if unused := l.next.Swap(f); unused != nil {
		unused.Close()
	}
	signal(l.wake)
	signal(l.full)
	return nil
}

// name is the log's in messages.
func (l *Log) name() string { return cmp.Or(l.path, "stdout") }

// Close writes what is waiting, closes the file and returns when that is done,
// or after five seconds on a disk that hangs. Lines that come later are dropped
// and counted.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if !closed {
		close(l.stop)
	}
	late := time.NewTimer(closeWithin)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
		l.logger.Warn("access log not closed: its disk hangs", "file", l.name())
	}
}

// write is the writer's goroutine. It ends after Close.
func (l *Log) write(out io.Writer) {
	defer close(l.done)
	w := writer{Log: l, out: out}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for {
		select {
		case <-l.wake:
		case <-l.stop:
			w.flush()
			w.close()
			return
		}
		timer.Reset(linger)
		select {
		case <-timer.C:
		case <-l.full:
		case <-l.stop:
		}
		w.flush()
	}
}

// take swaps the waiting lines for an empty buffer.
func (l *Log) take(empty []byte) (lines []byte, n, dropped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines, l.pending = l.pending, empty[:0]
	n, l.lines = l.lines, 0
	dropped, l.dropped = l.dropped, 0
	return lines, n, dropped
}

// writer is what belongs to the writer's goroutine.
type writer struct {
	*Log
	out     io.Writer
	spare   []byte
	torn    bool // the last write ended within a line
	failing bool

	lost       int // lines dropped, not yet complained of
	complained time.Time
}

// flush writes all that waits.
func (w *writer) flush() {
	for {
		if f := w.next.Swap(nil); f != nil {
			w.replace(f)
		}
		lines, n, dropped := w.take(w.spare)
		w.lost += dropped
		if n > 0 {
			w.put(lines, n)
		}
		w.spare = lines
		if w.lost > 0 {
			w.complain(nil)
		}
		if n == 0 {
			return
		}
	}
}

// put writes lines in one piece. What cannot be written is lost, and a line of
// which a part was written gets an end, so that the next one stands alone.
func (w *writer) put(lines []byte, n int) {
	if w.torn {
		if _, err := w.out.Write([]byte{'\n'}); err != nil {
			w.lose(n, err)
			return
		}
		w.torn = false
	}
	written, err := w.out.Write(lines)
	if err != nil {
		whole := bytes.Count(lines[:written], []byte{'\n'})
		w.torn = written > 0 && lines[written-1] != '\n'
		w.metrics.written.Add(float64(whole))
		w.lose(n-whole, err)
		return
	}
	w.metrics.written.Add(float64(n))
	if w.failing {
		w.failing = false
		w.logger.Info("access log is being written again", "file", w.name())
	}
}

func (w *writer) lose(n int, err error) {
	w.failing = true
	w.lost += n
	w.metrics.errors.Inc()
	w.metrics.failed.Add(float64(n))
	w.complain(err)
}

// complain tells the server's log what was lost, once a minute at most.
func (w *writer) complain(err error) {
	now := w.clock.Now()
	if !w.complained.IsZero() && now.Sub(w.complained) < complainEvery {
		return
	}
	w.complained = now
	if err == nil {
		err = errTooSlow
	}
	w.logger.Warn("access log lines dropped", "file", w.name(), "lines", w.lost, "error", err)
	w.lost = 0
}

var errTooSlow = errors.New("the disk is slower than the requests")

func (w *writer) replace(f *os.File) {
	if old, ok := w.out.(*os.File); ok {
		old.Close()
	}
	w.out, w.torn = f, false
}

func (w *writer) close() {
	if f := w.next.Swap(nil); f != nil {
		w.replace(f)
	}
	if f, ok := w.out.(*os.File); ok && w.path != "" {
		f.Close()
	}
}

// signal puts a token into c unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
