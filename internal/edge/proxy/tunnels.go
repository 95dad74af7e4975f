package proxy

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/clock"
)

const (
	drainWithout = 10 * time.Second // for draining under a context without a deadline
	parting      = time.Second      // for the two ends to answer a close frame
)

// tunnels is all tunnels that are open. It lives over reloads. Safe for
// concurrent use.
type tunnels struct {
	mu   sync.Mutex // guards the fields below
	open map[*tunnel]struct{}
	less chan struct{} // closed and replaced when a tunnel ends while somebody waits

	unwanted func(*tunnel) bool // those that are ended as soon as they open; nil: none
}

func newTunnels() *tunnels { return &tunnels{open: make(map[*tunnel]struct{})} }

// add counts t until remove, and reports whether it is wanted: a request may have
// been on its way to becoming a tunnel when all others of its kind were ended.
func (ts *tunnels) add(t *tunnel) (wanted bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.open[t] = struct{}{}
	return ts.unwanted == nil || !ts.unwanted(t)
}

// refuse says which tunnels are unwanted from now on, in place of what was said before.
func (ts *tunnels) refuse(which func(*tunnel) bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.unwanted = which
}

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.open, t)
	if ts.less != nil {
		close(ts.less)
		ts.less = nil
	}
}

// matching returns the open tunnels for which which is true (nil: all), and a
// channel that is closed when one of all ends.
func (ts *tunnels) matching(which func(*tunnel) bool) ([]*tunnel, <-chan struct{}) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	var list []*tunnel
	for t := range ts.open {
		if which == nil || which(t) {
			list = append(list, t)
		}
	}
	if ts.less == nil {
		ts.less = make(chan struct{})
	}
	return list, ts.less
}

// drain ends the tunnels for which which is true (nil: all): each at its own
// random moment, so that they do not all come back at once, with a close frame
// and, a little later, a cut. It returns when all are gone; at the end of ctx
// those that are left are cut.
func (ts *tunnels) drain(ctx context.Context, which func(*tunnel) bool) {
	list, _ := ts.matching(which)
	if len(list) == 0 {
		return
	}
	total := drainWithout
	if end, ok := ctx.Deadline(); ok {
		total = time.Until(end)
	}
	pause := min(parting, total/4)
	window := max(total-2*pause, 0)
	type step struct {
		at time.Duration
		do func()
	}
	steps := make([]step, 0, 2*len(list))
	for _, t := range list {
		at := time.Duration(rand.Int64N(int64(window) + 1))
		steps = append(steps, step{at: at, do: t.goodbye}, step{at: at + pause, do: func() { t.cut(abortDrain) }})
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	start := time.Now()
	for _, s := range steps {
		if !clock.Sleep(ctx, s.at-time.Since(start)) {
			break
		}
		s.do()
	}
	for {
		left, less := ts.matching(which)
		if len(left) == 0 {
			return
		}
		if ctx.Err() != nil {
			for _, t := range left {
				t.cut(abortDrain)
			}
			return
		}
		select {
		case <-less:
		case <-ctx.Done():
		}
	}
}
