package collector

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	tests := []struct {
		name string
		live uint64
		want int
	}{
		{"nothing is known yet", 0, most},
		{"a tiny heap grows by the floor at most", 1 << 20, most},
		{"a small heap grows by the floor", 4 << 20, 400},
		{"a heap as large as the floor doubles", floor, 100},
		{"a large heap doubles", 1 << 30, 100},
	}
	for _, tt := range tests {
		if got := percentFor(tt.live); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// percent is GOGC as it is now.
func percent() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}

func TestStart_FollowsTheHeapAndPutsBackWhatWas(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)

	stop := Start()
	runtime.GC()
	eventually(t, "a small heap is left alone", func() bool { return percent() > 150 })
	large := make([][]byte, 0, 200)
	for range 200 {
		large = append(large, make([]byte, 1<<20))
	}
	runtime.GC()
	eventually(t, "a large heap is collected as ever", func() bool { return percent() == least })
	runtime.KeepAlive(large)
	stop()
	if got := percent(); got != 77 {
		t.Errorf("after stop: %d, want 77", got)
	}
	runtime.GC()
	runtime.GC()
	if got := percent(); got != 77 {
		t.Errorf("a cycle after stop has set %d", got)
	}
	stop()
}

func TestStart_LeavesAnOperatorsGOGCAlone(t *testing.T) {
	t.Setenv("GOGC", "50")
	before := debug.SetGCPercent(50)
	defer debug.SetGCPercent(before)
	defer Start()()
	if got := percent(); got != 50 {
		t.Errorf("percent is %d, want 50", got)
	}
}

// eventually waits for something that the runtime does in its own time.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for !happened() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("in vain: %s", what)
		}
	}
}
