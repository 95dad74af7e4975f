package lease

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

// Waits after a job that ended by an error.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Job is something that one node does for all.
type Job struct {
	Name   string // lower-case words with hyphens; its lease is job/NAME
	Module int    // see Options
	TTL    time.Duration
	Renew  time.Duration
	Margin time.Duration

	// Every is how long after Run has returned nil it is called again; 0: 1 s.
	Every time.Duration

	// Run does the job, for one round or until ctx ends, which it does when the
	// node is no longer to do it. It then returns within the margin. Each write
	// begins with term.Fence; before an effect that cannot be fenced it looks at
	// term.Trusted. An error or a panic is logged, and Run is called again after
	// 1 s, doubling to 1 min.
	Run func(ctx context.Context, term Term) error
}

// JobState is what the status shows of a job.
type JobState struct {
	Name string
	State
	Running  bool      // Run is being called here, now
	Runs     int64     // calls of Run here that ended without an error
	Failures int64     // calls that ended by an error or a panic
	Last     error     // of the last call that ended; nil: it was fine
	LastAt   time.Time // when that was; zero: none has ended
}

// panicError is a job's panic as an error.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// call runs the job once and returns its panic as an error: one job is not worth
// the front door.
func (j Job) call(ctx context.Context, term Term) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return j.Run(ctx, term)
}

// serve runs the job again and again while its term lasts, and tells done of
// each call that ended.
func (j Job) serve(ctx context.Context, term Term, started func(), done func(error)) {
	pause := firstPause
	for ctx.Err() == nil && term.Trusted(time.Now()) {
		started()
		err := j.call(ctx, term)
		if err != nil && ctx.Err() != nil {
			err = nil // it was told to stop, and says so
		}
		done(err)
		wait := j.Every
		if err != nil {
			wait, pause = jitter(pause), min(2*pause, lastPause)
		} else {
			pause = firstPause
		}
		clock.Sleep(ctx, wait)
	}
}
