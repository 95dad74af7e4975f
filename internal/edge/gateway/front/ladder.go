package front

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// The rungs of the memory ladder (guide, section 6; Envoy's values).
const (
	allIsWell      = int32(0)
	endKeepAlive   = int32(1) // at 92 %: answers end their connection
	refuseRequests = int32(2) // at 95 %: 503
)

const (
	ladderEvery = 250 * time.Millisecond
	// collectAt is the share of the limit at which the garbage collector begins to
	// work against growth, well below the first rung: above it only what is really
	// in use remains.
	collectAt = 0.85
)

// ladder watches the memory of the process and says what must be given up.
type ladder struct {
	log   *slog.Logger
	inUse func() uint64
	level atomic.Int32

	cgroup         func() int64      // limit of the process's cgroup, 0: none
	setMemoryLimit func(int64) int64 // debug.SetMemoryLimit; tests leave the process alone

	mu    sync.Mutex // guards the fields below
	limit int64      // bytes; 0: none
	stop  chan struct{}
	done  chan struct{}
}

func newLadder(inUse func() uint64, log *slog.Logger) *ladder {
	if inUse == nil {
		inUse = memoryInUse
	}
	return &ladder{log: log, inUse: inUse, cgroup: cgroupLimit, setMemoryLimit: debug.SetMemoryLimit}
}

// apply sets the limit in bytes; 0 is the cgroup's, or none where that has none.
// It also tells the garbage collector, unless the operator did with GOMEMLIMIT.
func (l *ladder) apply(limit int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit == 0 {
		limit = l.cgroup()
	}
	if limit == l.limit {
		return
	}
	l.limit = limit
	if limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		l.setMemoryLimit(int64(collectAt * float64(limit)))
	}
	l.look(limit)
	if limit > 0 && l.stop == nil {
		l.stop, l.done = make(chan struct{}), make(chan struct{})
		go l.watch(l.stop, l.done)
	}
}

// close ends the watch.
func (l *ladder) close() {
	l.mu.Lock()
	stop, done := l.stop, l.done
	l.stop, l.limit = nil, 0
	l.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
}

func (l *ladder) watch(stop, done chan struct{}) {
	defer close(done)
	ticker := time.NewTicker(ladderEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			l.mu.Lock()
			limit := l.limit
			l.mu.Unlock()
			l.look(limit)
		}
	}
}

// look finds the rung for the memory in use now.
func (l *ladder) look(limit int64) {
	level, used := allIsWell, uint64(0)
	if limit > 0 {
		used = l.inUse()
		level = rung(used, uint64(limit))
	}
	if before := l.level.Swap(level); before != level {
		at := slog.LevelWarn
		if level == allIsWell {
			at = slog.LevelInfo
		}
		l.log.Log(context.Background(), at, "memory ladder", "level", level, "in_use", used, "limit", limit)
	}
}

// rung returns the level for used of limit bytes.
func rung(used, limit uint64) int32 {
	switch {
	case used >= limit/100*95:
		return refuseRequests
	case used >= limit/100*92:
		return endKeepAlive
	}
	return allIsWell
}

// memoryInUse returns what the Go runtime holds of the system's memory: the
// number that GOMEMLIMIT bounds. Page cache and the kernel's socket buffers,
// which a cgroup counts too, are the kernel's to reclaim.
func memoryInUse() uint64 {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	runtimemetrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
