package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/clock"
)

// silence is how long a stream may say nothing before it counts as broken;
// figures come every two seconds, and a sign of life every 15.
const silence = 20 * time.Second

// The pause between two tries to get the stream back: as long as firstPause, then
// twice that each time up to lastPause, and up to half of it more at random, so
// that the screens of a whole team do not come back in the same moment.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Second
)

var (
	errSilent = fmt.Errorf("not a word for %s", silence)
	errEnded  = errors.New("it ended the stream")
)

// Follower hears what happens to a stream of events. Its methods are called one
// at a time.
type Follower interface {
	// Event is called for every event, in order. An error ends Follow.
	Event(e Event) error
	// Lost is called when the stream broke or could not be had; the next try
	// comes after pause.
	Lost(err error, pause time.Duration)
	// Back is called when the stream is there again after Lost. What happened in
	// between is in the full state that comes first.
	Back()
}

// Follow hands the events to f until ctx ends, which is no error, and gets a
// stream that breaks back. Errors: a *Problem that trying again would not heal
// (no token, a role that is too small), and those of f.
func (c *Client) Follow(ctx context.Context, f Follower) error {
	pause, lost := firstPause, false
	for {
		err := c.stream(ctx, func() {
			if lost {
				f.Back()
			}
			pause, lost = firstPause, false
		}, f.Event)
		var mine *followerError
		var problem *Problem
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &mine):
			return mine.err
		case errors.As(err, &problem) && problem.Status/100 == 4 && problem.Status != http.StatusTooManyRequests:
			return err
		}
		wait := pause + rand.N(pause/2)
		lost = true
		f.Lost(err, wait)
		if !clock.Sleep(ctx, wait) {
			return nil
		}
		pause = min(2*pause, lastPause)
	}
}

// followerError is an error of a Follower, which ends Follow.
type followerError struct{ err error }

func (e *followerError) Error() string { return e.err.Error() }

// stream reads one stream to its end, which is always an error. began is called
// when it is there.
func (c *Client) stream(ctx context.Context, began func(), event func(Event) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer quiet.Stop()
	resp, err := c.send(ctx, http.MethodGet, "events", nil, nil)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what there is of it says enough
		return c.problem(resp, data)
	}
	began()
	reader := newEventReader(resp.Body, func() { quiet.Reset(silence) })
	for {
		e, err := reader.next()
		if errors.Is(err, io.EOF) {
			err = errEnded
		}
		if err != nil {
			return fmt.Errorf("listen to %s: %w", c.where, causeOf(ctx, plain(err)))
		}
		if last, end := ending(e); last {
			return fmt.Errorf("listen to %s: %w", c.where, end)
		}
		if err := event(e); err != nil {
			return &followerError{err}
		}
	}
}

// ending reports whether e is the last event of a stream, and why that ends.
func ending(e Event) (last bool, why error) {
	if e.Name != string(api.EventEnd) {
		return false, nil
	}
	var end api.End
	if json.Unmarshal(e.Data, &end) != nil || end.Reason == "" {
		return true, errEnded
	}
	return true, errors.New(end.Reason)
}

// causeOf is why ctx ended if it did, else err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
