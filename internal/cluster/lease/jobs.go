package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const resignTimeout = 2 * time.Second

// JobsOptions are what all jobs of a node share.
type JobsOptions struct {
	Store      Store
	Holder     string
	Sole       bool                  // see Options
	May        func() bool           // see Options
	Log        *slog.Logger          // nil: slog's default
	Registerer prometheus.Registerer // nil: metrics are not shown
}

// Jobs runs jobs on this node while it has their leases. Add all, then Start,
// then Stop; Stop may be called without Start, and twice.
type Jobs struct {
	o      JobsOptions
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex // guards the fields below and those of posts
	posts   []*post
	started bool
}

// post is a job with its elector and its books.
type post struct {
	Job
	elector  *Elector
	running  bool
	runs     int64
	failures int64
	last     error
	lastAt   time.Time
}

// NewJobs returns a runner that has no job yet.
func NewJobs(o JobsOptions) *Jobs {
	o.Log = cmp.Or(o.Log, slog.Default())
	j := &Jobs{o: o}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	if o.Registerer != nil {
		o.Registerer.MustRegister(newJobMetrics(j))
	}
	return j
}

var jobName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// Add takes a job on. Errors are mistakes of the program: a bad or second name,
// no Run, times that do not fit, or jobs that run already.
func (j *Jobs) Add(job Job) error {
	if !jobName.MatchString(job.Name) || job.Run == nil {
		return fmt.Errorf("add job %q: it needs a name of lower-case letters, digits and hyphens, and something to run", job.Name)
	}
	e, err := New(Options{
		Store: j.o.Store, Name: "job/" + job.Name, Holder: j.o.Holder, Module: job.Module,
		TTL: job.TTL, Renew: job.Renew, Margin: job.Margin, Sole: j.o.Sole, May: j.o.May, Log: j.o.Log,
	})
	if err != nil {
		return fmt.Errorf("add job %s: %w", job.Name, err)
	}
	return j.add(job, e)
}

func (j *Jobs) add(job Job, e *Elector) error {
	job.Every = cmp.Or(job.Every, time.Second)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.started {
		return fmt.Errorf("add job %s: the jobs run already", job.Name)
	}
	if slices.ContainsFunc(j.posts, func(p *post) bool { return p.Name == job.Name }) {
		return fmt.Errorf("add job %s: there is one of this name", job.Name)
	}
	j.posts = append(j.posts, &post{Job: job, elector: e})
	return nil
}

// Start begins to stand for election. It waits for nobody.
func (j *Jobs) Start() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.started || j.ctx.Err() != nil {
		return
	}
	j.started = true
	for _, p := range j.posts {
		j.tasks.Go(func() { j.hold(p) })
	}
}

// Stop ends all jobs, waits for them and gives their leases back, so that others
// take over at once. Its error names the jobs that had not ended when ctx did;
// their leases expire by themselves.
func (j *Jobs) Stop(ctx context.Context) error {
	j.cancel()
	done := make(chan struct{})
	go func() {
		j.tasks.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	var late []string
	for _, s := range j.State() {
		if s.Running {
			late = append(late, s.Name)
		}
	}
	if len(late) == 0 {
		return fmt.Errorf("stop the jobs: their leases were not given back in time: %w", ctx.Err())
	}
	return fmt.Errorf("stop the jobs: not ended: %s: %w", strings.Join(late, ", "), ctx.Err())
}

// State returns the jobs in the order in which they were added.
func (j *Jobs) State() []JobState {
	j.mu.Lock()
	defer j.mu.Unlock()
	states := make([]JobState, len(j.posts))
	for i, p := range j.posts {
		states[i] = JobState{
			Name: p.Name, State: p.elector.State(), Running: p.running,
			Runs: p.runs, Failures: p.failures, Last: p.last, LastAt: p.lastAt,
		}
	}
	return states
}

// hold is elected again and again, and does the job in between, until Stop.
func (j *Jobs) hold(p *post) {
	for {
		tenure, err := p.elector.Elect(j.ctx)
		if err != nil {
			return // Stop
		}
		log := j.o.Log.With("job", p.Name, "term", tenure.Number)
		log.Debug("this node does the job now")

		ctx, cancel := context.WithCancelCause(tenure.Context())
		unlink := context.AfterFunc(j.ctx, func() { cancel(context.Canceled) })
		p.serve(ctx, tenure.Term, func() { j.began(p) }, func(err error) { j.ended(p, log, err) })
		unlink()
		cancel(nil)

		if cause := context.Cause(tenure.Context()); cause != nil {
			log.Warn("this node no longer does the job", "why", cause)
		}
		// Not j.ctx, which has ended: a resignation is what spares the others the wait.
		resigning, done := context.WithTimeout(context.Background(), resignTimeout)
		if err := tenure.Resign(resigning); err != nil {
			log.Warn("the job could not be given back, so others take it when it expires", "err", err)
		}
		done()
	}
}

func (j *Jobs) began(p *post) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p.running = true
}

func (j *Jobs) ended(p *post, log *slog.Logger, err error) {
	j.mu.Lock()
	p.running = false
	p.last, p.lastAt = err, time.Now()
	if err == nil {
		p.runs++
	} else {
		p.failures++
	}
	j.mu.Unlock()
	if err == nil {
		return
	}
	var panicked *panicError
	if errors.As(err, &panicked) {
		log.Error("a job panicked; it is tried again", "err", err, "stack", string(panicked.stack))
		return
	}
	log.Error("a job ended by an error; it is tried again", "err", err)
}
