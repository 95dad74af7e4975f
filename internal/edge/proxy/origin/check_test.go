package origin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
)

// answer is a transport that gives one response.
type answer struct {
	fakeServer
	status int
	body   io.Reader
	closed bool
}

// RoundTrip implements upstream.Transport.
func (a *answer) RoundTrip(ctx context.Context, _ *upstream.Request) (*upstream.Response, error) {
	if a.status == 0 {
		<-ctx.Done()
		return nil, &upstream.Error{Op: "read response", Err: ctx.Err()}
	}
	return upstream.NewResponse(upstream.Response{Status: a.status, Body: a.body}, func() error {
		a.closed = true
		return nil
	}), nil
}

// endless is a body that never ends, and fails when too much of it is read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestChecker_check(t *testing.T) {
	tests := []struct {
		name     string
		statuses []int
		status   int
		body     io.Reader
		ok       bool
	}{
		{"200 passes", nil, 200, strings.NewReader("ok"), true},
		{"a redirect passes", nil, 302, strings.NewReader(""), true},
		{"404 does not", nil, 404, strings.NewReader(""), false},
		{"a listed status passes", []int{404}, 404, strings.NewReader(""), true},
		{"a status that is not listed does not", []int{204}, 200, strings.NewReader(""), false},
		{"a body cut short does not", nil, 200, iotest.ErrReader(errors.New("cut")), false},
		{"of a body without end only a part is read", nil, 200, &endless{}, true},
		{"no answer in time", nil, 0, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &answer{status: tt.status, body: tt.body}
			c := checker{transport: a, cfg: &config.ActiveHealth{Statuses: tt.statuses, Timeout: config.Duration(20 * time.Millisecond)}}
			if err := c.check(context.Background()); (err == nil) != tt.ok {
				t.Errorf("%v, want passed: %t", err, tt.ok)
			}
			if tt.status != 0 && !a.closed {
				t.Error("the response was not closed")
			}
			if e, ok := tt.body.(*endless); ok && e.read > 2*checkBodySize {
				t.Errorf("read %d bytes of a check's answer", e.read)
			}
		})
	}
}

func TestChecker_usesItsOwnConnectionsWhereTheyAreCounted(t *testing.T) {
	w := &world{}
	cfg := withChecks(settingsFor(a1))
	cfg.Pool.MaxOpen = 2
	w.open(t, cfg)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.specs) != 2 || w.specs[0].MaxOpen != 2 || w.specs[1].MaxOpen != 0 || w.specs[1].Address != s1 {
		t.Errorf("transports %+v", w.specs)
	}
}

func TestChecker_saysWhenANewServerDoesNotPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.server(s1).set(false, 404)
		var log strings.Builder
		options := w.options()
		options.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o, err := New("shop", withChecks(settingsFor(a1)), options)
		if err != nil {
			t.Fatal(err)
		}
		o.Start()
		time.Sleep(time.Minute)
		o.Retire()
		synctest.Wait()
		const want = `level=WARN msg="server has not passed its checks and gets no traffic" origin=shop server=` + s1 + ` path=/healthz error="status 404"`
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("said %d times, want once:\n%s", n, log.String())
		}
	})
}
