package lease

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// working returns a runner on b with one job.
func working(t *testing.T, b book, holder string, job Job) *Jobs {
	t.Helper()
	job.Name = "work"
	j := NewJobs(JobsOptions{Holder: holder, Log: quiet})
	if err := j.add(job, elector(t, b, holder)); err != nil {
		t.Fatal(err)
	}
	j.Start()
	return j
}

func stop(t *testing.T, j *Jobs) {
	t.Helper()
	if err := j.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestJobs_OneNodeDoesTheJobAndAnotherFollowsWhenItStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		var running atomic.Int32
		started := make(chan Term, 2)
		job := Job{Run: func(ctx context.Context, term Term) error {
			if running.Add(1) > 1 {
				t.Error("two do the job")
			}
			defer running.Add(-1)
			started <- term
			<-ctx.Done()
			return ctx.Err()
		}}
		one := working(t, b, "one", job)
		first := <-started
		two := working(t, b, "two", job)
		time.Sleep(time.Minute)
		if states := [2]JobState{one.State()[0], two.State()[0]}; !states[0].Running || !states[0].Held || states[1].Running || states[1].Holder != "one" {
			t.Errorf("the states are %+v", states)
		}
		at := time.Now()
		stop(t, one)
		second := <-started
		if took := time.Since(at); took > 50*time.Millisecond {
			t.Errorf("took over after %v", took)
		}
		if first.Holder != "one" || second.Holder != "two" || second.Number != first.Number+1 {
			t.Errorf("terms %+v and %+v", first, second)
		}
		stop(t, two)
		stop(t, two)
		if s := one.State()[0]; s.Failures != 0 || s.Last != nil {
			t.Errorf("being stopped counts as a failure: %+v", s)
		}
	})
}

func TestJobs_APanicOrAnErrorEndsNothingAndIsTriedAgain(t *testing.T) {
	tests := []struct {
		name string
		fail func() error
		want string
	}{
		{"an error", func() error { return errors.New("no luck") }, "no luck"},
		{"a panic", func() error { panic("oh no") }, "panic: oh no"},
		{"a panic with nothing", func() error { var m map[string]int; m["x"] = 1; return nil }, "nil map"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := make(chan time.Time)
				j := working(t, newFakeBook(), "one", Job{Run: func(context.Context, Term) error {
					calls <- time.Now()
					return tt.fail()
				}})
				at, least := <-calls, 750*time.Millisecond
				for i := range 10 {
					next := <-calls
					if wait := next.Sub(at); wait < least || wait > lastPause {
						t.Errorf("call %d came after %v, want %v or more", i+2, wait, least)
					}
					at, least = next, min(2*least, 45*time.Second)
				}
				synctest.Wait()
				s := j.State()[0]
				if s.Failures != 11 || s.Last == nil || !strings.Contains(s.Last.Error(), tt.want) || !s.Held || s.Number != 1 {
					t.Errorf("the state is %+v", s)
				}
				stop(t, j)
			})
		})
	}
}

func TestS4_AJobStopsWhenTrustEndsAndNobodyStartsOneWithoutTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		started, ended := make(chan struct{}, 1), make(chan time.Time, 1)
		job := Job{Run: func(ctx context.Context, _ Term) error {
			started <- struct{}{}
			<-ctx.Done()
			ended <- time.Now()
			return nil
		}}
		one := working(t, b, "one", job)
		<-started
		b.change(func() { b.failing = true })
		cut := time.Now()
		if took := (<-ended).Sub(cut); took > 4*time.Second {
			t.Errorf("the job went on for %v without the store", took)
		}
		two := working(t, b, "two", job)
		time.Sleep(time.Hour)
		if len(started) > 0 {
			t.Error("a job was started without the store")
		}
		if s := one.State()[0]; s.Held || !errors.Is(s.Err, errGone) {
			t.Errorf("the state is %+v", s)
		}
		b.change(func() { b.failing = false })
		<-started
		stop(t, one)
		stop(t, two)
	})
}

func TestJobs_StopNamesTheJobThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		started, release := make(chan struct{}), make(chan struct{})
		j := working(t, b, "one", Job{Run: func(context.Context, Term) error {
			close(started)
			<-release
			return nil
		}})
		<-started
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := j.Stop(ctx); err == nil || !strings.Contains(err.Error(), "not ended: work") {
			t.Errorf("said %v", err)
		}
		if b.rows["job"].expires == 0 {
			t.Error("resigned though it may still act")
		}
		close(release)
		stop(t, j)
	})
}

func TestJobs_AddSaysWhatIsWrong(t *testing.T) {
	j := NewJobs(JobsOptions{Holder: "one", Log: quiet})
	run := func(context.Context, Term) error { return nil }
	for _, bad := range []Job{{Name: "x"}, {Run: run}, {Name: "A b", Run: run}, {Name: "x", Run: run, TTL: time.Second}} {
		if err := j.Add(bad); err == nil {
			t.Errorf("took %+v", bad)
		}
	}
	if err := errors.Join(j.Add(Job{Name: "x", Run: run}), j.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	if err := j.Add(Job{Name: "x", Run: run}); err == nil {
		t.Error("took a second job of one name")
	}
}

func TestJobs_ShowTheirMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		j := NewJobs(JobsOptions{Holder: "one", Log: quiet, Registerer: registry})
		rounds := make(chan struct{})
		err := j.add(Job{Name: "work", Run: func(ctx context.Context, _ Term) error {
			rounds <- struct{}{}
			return nil
		}}, elector(t, newFakeBook(), "one"))
		if err != nil {
			t.Fatal(err)
		}
		j.Start()
		for range 3 {
			<-rounds
		}
		synctest.Wait()
		const want = `
# HELP evergate_job_held 1 while this node does the job, 0 otherwise.
# TYPE evergate_job_held gauge
evergate_job_held{job="work"} 1
# HELP evergate_job_runs_total Rounds of the job on this node that ended well.
# TYPE evergate_job_runs_total counter
evergate_job_runs_total{job="work"} 3
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "evergate_job_held", "evergate_job_runs_total"); err != nil {
			t.Error(err)
		}
		stop(t, j)
	})
}
