// Package collector keeps Go's garbage collector from working too often while
// little memory is in use.
//
// The collector begins a cycle when the heap has doubled. A door that holds 5 MB
// would collect after every 5 MB of passing requests, dozens of times a second,
// and spend an eighth of its time on it. Here a cycle begins when the heap has
// doubled or has grown by a floor, whichever is more: a small heap is collected
// seldom, a large one as before. A memory limit (GOMEMLIMIT, or that of the
// memory ladder) is kept all the same; the collector minds it by itself.
package collector

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// floor is how much the heap may always grow before it is collected.
const floor = 16 << 20

const (
	least = 100 // percent; Go's own default
	most  = 800 // percent; the heap of a process that has just started says little
)

// Start tunes the collector of this process until stop is called, which brings
// back what was before. It does nothing when the operator has set GOGC.
func Start() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	t := &tuner{before: debug.SetGCPercent(least)}
	t.tune()
	t.watch()
	return sync.OnceFunc(t.stop)
}

// tuner sets the percentage anew after every cycle.
type tuner struct {
	before int

	mu      sync.Mutex // guards the fields below
	stopped bool
}

// cycle is garbage from the moment it is made: its cleanup runs once the next
// cycle has found it. It is as large as it is so that it is an object of its own.
type cycle struct{ _ [64]byte }

func (t *tuner) watch() {
	runtime.AddCleanup(new(cycle), func(t *tuner) {
		if t.tune() {
			t.watch()
		}
	}, t)
}

// tune sets the percentage for the heap as the last cycle has left it, and
// reports whether to go on.
func (t *tuner) tune() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return false
	}
	debug.SetGCPercent(percentFor(live()))
	return true
}

func (t *tuner) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	debug.SetGCPercent(t.before)
}

// percentFor is GOGC where it counts from live bytes.
func percentFor(live uint64) int {
	if live == 0 {
		return most
	}
	return int(min(max(floor*100/live, least), most))
}

// live is what the percentage counts from, in bytes: the heap in use after the
// last cycle, and the stacks and globals that the collector reads beside it.
func live() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	sum := uint64(0)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return floor // not known to this runtime: as Go does it
		}
		sum += s.Value.Uint64()
	}
	return sum
}
