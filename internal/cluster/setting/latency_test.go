//go:build !race

package setting

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestPut_Of50WritersAtOnceIsAcknowledgedWithinThreeFsyncs holds the figure of issue 3
// for a whole change: p99 <= 3 x the disk's p99 fsync + 20 ms. Other work on the
// machine disturbs either side, so the best of five tries counts.
func TestPut_Of50WritersAtOnceIsAcknowledgedWithinThreeFsyncs(t *testing.T) {
	for m, name := range map[mode]string{passes: "into the store", refuses: "into the journal"} {
		t.Run(name, func(t *testing.T) {
			var report string
			for range 5 {
				var fine bool
				if report, fine = measure(t, m); fine {
					t.Log(report)
					return
				}
			}
			t.Error(report)
		})
	}
}

func measure(t *testing.T, m mode) (report string, fine bool) {
	const writers, each = 50, 20
	dir := t.TempDir()
	disk := fsyncs(t, dir, 200)
	st := newWire(openStore(t, dir))
	st.set(m)
	s := begin(t, st, dir, nil)
	began := time.Now()
	took := make([][]time.Duration, writers)
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for range each {
				start := time.Now()
				put(t, s, fmt.Sprint("key-", writer), "1")
				took[writer] = append(took[writer], time.Since(start))
			}
		})
	}
	group.Wait()
	all := time.Since(began)
	s.Stop()
	device := percentile(append(disk, fsyncs(t, dir, 200)...), 99)
	p99 := percentile(slices.Concat(took...), 99)
	limit := 3*device + slower*20*time.Millisecond
	return fmt.Sprintf("fsync p99 %v; change p50 %v, p99 %v, limit %v; %.0f changes/s",
		device, percentile(slices.Concat(took...), 50), p99, limit, writers*each/all.Seconds()), p99 <= limit
}

// fsyncs measures n times how long a page takes to the disk of dir.
func fsyncs(t *testing.T, dir string, n int) (all []time.Duration) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "probe"))
	must(t, err)
	defer file.Close()
	page := make([]byte, 4096)
	for range n {
		start := time.Now()
		_, err := file.Write(page)
		must(t, err)
		must(t, file.Sync())
		all = append(all, time.Since(start))
	}
	return all
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
