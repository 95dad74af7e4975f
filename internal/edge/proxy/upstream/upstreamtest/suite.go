// Package upstreamtest is the suite that every upstream.Transport over HTTP/1.1
// passes: the thirteen pitfalls of the edge guide, section 5.3, as far as they
// are a transport's business, and the rules of sections 3.1 and 5.2. Servers in
// it are scripts over raw connections, because well-behaved servers prove little.
package upstreamtest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/exchange"
)

// patience is how long the suite waits for something that must happen. It is
// long because test machines are busy; nothing is waited for in vain when all
// is well.
const patience = 10 * time.Second

// Config is what a Transport under test is made with. The zero values of sizes
// and times mean the defaults of the configuration reference.
type Config struct {
	Network, Address string      // as for net.Dial
	TLS              *tls.Config // nil: plain

	MaxOpen      int           // connections; 0: unlimited
	IdleTimeout  time.Duration // default 55 s
	ProbeAfter   time.Duration // default 1 s
	HeaderBytes  int           // default 64 KiB
	HeaderFields int           // default 200
}

// Factory makes the Transport under test. It need not close it.
type Factory func(tb testing.TB, c Config) upstream.Transport

// Traits say where Transports may differ.
type Traits struct {
	// IdleBytes is how much heap one idle connection may cost; 0: not measured.
	IdleBytes int
	// Strict: framing that can be understood in two ways is refused.
	Strict bool
}

// suite is one run over one Transport.
type suite struct {
	make   Factory
	traits Traits
}

// Exercise runs the whole suite on the Transports that make makes.
func Exercise(t *testing.T, make Factory, traits Traits) {
	s := &suite{make: make, traits: traits}
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"pitfall", s.pitfalls()},
		{"request", s.requests()},
		{"response", s.responses()},
		{"reuse", s.reuse()},
		{"ending", s.endings()},
		{"connection", s.connections()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				t.Run(tt.name, tt.run)
			}
		})
	}
}

// test is one promise; its name is a sentence.
type test struct {
	name string
	run  func(t *testing.T)
}

// transport makes a Transport for server and closes it at the end of the test.
func (s *suite) transport(tb testing.TB, server *Server, c Config) upstream.Transport {
	tb.Helper()
	c.Network, c.Address = server.Network, server.Address
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 55 * time.Second
	}
	if c.ProbeAfter == 0 {
		c.ProbeAfter = time.Second
	}
	if c.HeaderBytes == 0 {
		c.HeaderBytes = 64 << 10
	}
	if c.HeaderFields == 0 {
		c.HeaderFields = 200
	}
	tr := s.make(tb, c)
	tb.Cleanup(tr.Close)
	return tr
}

// outcome is all that came of one attempt.
type outcome struct {
	status  int
	length  int64
	fields  []upstream.Field
	body    string
	trailer []upstream.Field
	reused  bool
	err     *upstream.Error // of RoundTrip or of the body
}

func (o *outcome) get(name string) string {
	for _, f := range o.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// do makes one attempt, reads the whole body and closes the response.
func do(tb testing.TB, tr upstream.Transport, req *upstream.Request) outcome {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	return doContext(ctx, tb, tr, req)
}

func doContext(ctx context.Context, tb testing.TB, tr upstream.Transport, req *upstream.Request) outcome {
	tb.Helper()
	resp, err := tr.RoundTrip(ctx, req)
	if err != nil {
		return outcome{err: asError(tb, err)}
	}
	o := outcome{status: resp.Status, length: resp.ContentLength, reused: resp.Reused}
	o.fields = append(o.fields, resp.Fields...)
	body, err := io.ReadAll(resp.Body)
	o.body = string(body)
	if err != nil {
		o.err = asError(tb, err)
	}
	o.trailer = append(o.trailer, resp.Trailer()...)
	if err := resp.Close(); err != nil {
		tb.Errorf("close: %v", err)
	}
	return o
}

// must is do for attempts that have to succeed.
func must(tb testing.TB, tr upstream.Transport, req *upstream.Request) outcome {
	tb.Helper()
	o := do(tb, tr, req)
	if o.err != nil {
		tb.Fatalf("%s %s: %v (class %d, %s)", req.Method, req.Target, o.err, o.err.Class, o.err.Outcome)
	}
	return o
}

// asError checks that err is what the contract says.
func asError(tb testing.TB, err error) *upstream.Error {
	tb.Helper()
	var e *upstream.Error
	if !errors.As(err, &e) {
		tb.Fatalf("error %v (%T), want *upstream.Error", err, err)
	}
	return e
}

// wantError checks how an attempt ended.
func wantError(tb testing.TB, e *upstream.Error, class exchange.SendClass, out exchange.Outcome) {
	tb.Helper()
	if e == nil {
		tb.Fatalf("no error, want class %d, %s", class, out)
	}
	if e.Class != class || e.Outcome != out {
		tb.Fatalf("error %v: class %d, %s; want class %d, %s", e, e.Class, e.Outcome, class, out)
	}
}

func get(target string) *upstream.Request {
	return &upstream.Request{Method: "GET", Target: target, Host: "example.org", Header: http.Header{}}
}

// send is a request with a body; length -1 is unknown.
func send(method string, body io.Reader, length int64) *upstream.Request {
	return &upstream.Request{Method: method, Target: "/", Host: "example.org", Header: http.Header{}, Body: body, ContentLength: length}
}

// eventually waits until cond holds. It is for facts that nobody announces:
// goroutines that ended, connections that the kernel closed.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			tb.Fatalf("did not happen: %s", what)
		}
		runtime.Gosched()
		<-time.After(time.Millisecond)
	}
}

// goroutinesReturn remembers how many goroutines there are; the function it
// returns waits until there are no more than that.
func goroutinesReturn(tb testing.TB) func() {
	tb.Helper()
	base := runtime.NumGoroutine()
	return func() {
		tb.Helper()
		eventually(tb, "goroutine count back at its base line", func() bool { return runtime.NumGoroutine() <= base })
	}
}

// within runs f and fails if it takes longer than d.
func within(tb testing.TB, d time.Duration, what string, f func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(d):
		tb.Errorf("%s took longer than %s", what, d)
		<-done
	}
}
