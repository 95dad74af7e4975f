// Package chat takes commands from Slack, Mattermost and Microsoft Teams: one
// endpoint, on a public site and path that the configuration names, never together
// with the rest of the admin API. It believes a request only after its program has
// proved itself (a signature over the body, or a token over TLS), knows users by the
// ids that the program vouches for, and lets each do what their role allows. What a
// command does, the Operator does, the same way as for the API and the command line.
package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/admin/noise"
	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/exchange"
)

const (
	maxBody     = 64 << 10                // bytes of a request
	patience    = 2500 * time.Millisecond // from a request to its answer; the programs give up after 3 s
	workTime    = 30 * time.Second        // for which a command may go on after its answer
	maxCommands = 32                      // under way at once
)

// Options are what an Endpoint needs. Operator is required.
type Options struct {
	Operator   Operator
	Clock      clock.Clock           // of signatures and rate limits; default the real one
	Log        *slog.Logger          // default slog.Default()
	Registerer prometheus.Registerer // nil: the figures are kept and not shown

	// Secure reports whether a request came by https. Nil asks the request's
	// exchange, which knows about trusted proxies, and without one its connection.
	Secure func(*http.Request) bool
}

// Endpoint is what handlers of all generations of the configuration share: the
// memory of requests that were taken, the commands under way, the figures. It is
// safe for concurrent use.
type Endpoint struct {
	operator Operator
	clock    clock.Clock
	log      *slog.Logger
	secure   func(*http.Request) bool
	metrics  *metrics
	outside  *noise.Bound // lines about requests that have proved nothing
	inside   *noise.Bound // and about those that have, so that strangers cannot crowd these out
	memories map[Program]*memory
	slots    chan struct{} // a token for each command that may be under way
	working  sync.WaitGroup
}

// New returns an endpoint, or an error that says which option is missing or which
// metric is registered already.
func New(o Options) (*Endpoint, error) {
	if o.Operator == nil {
		return nil, errors.New("new chat endpoint: no operator")
	}
	metrics, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		operator: o.Operator, clock: o.Clock, log: o.Log, secure: o.Secure,
		metrics: metrics, outside: noise.New(), inside: noise.New(), slots: make(chan struct{}, maxCommands),
	}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.secure == nil {
		e.secure = secure
	}
	start := o.Clock.Now()
	e.memories = map[Program]*memory{
		Slack:      newMemory(start, signedKept),
		Mattermost: newMemory(start, unsignedKept),
		Teams:      newMemory(start, signedKept),
	}
	return e, nil
}

// Wait returns when no command is under way, or with ctx's error. It is for the
// stop of the process, when no handler is called any more.
func (e *Endpoint) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() { // ends with the last command, which has workTime at most
		e.working.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for chat commands under way: %w", ctx.Err())
	}
}

func secure(r *http.Request) bool {
	if scheme := exchange.From(r.Context()).Scheme; scheme != "" {
		return scheme == "https"
	}
	return r.TLS != nil
}
