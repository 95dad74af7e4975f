package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// TestWrite_Of50WritersAtOnceIsAcknowledgedWithinThreeFsyncs holds the figure of
// issue 3: p99 of an acknowledged change <= 3 x the disk's p99 fsync + 20 ms. Other
// work on the machine disturbs either side, so the best of three tries counts.
//
// The race detector makes statements about five times as slow, which has nothing to
// do with the disk.
func TestWrite_Of50WritersAtOnceIsAcknowledgedWithinThreeFsyncs(t *testing.T) {
	const writers, each = 50, 40
	var report string
	for range 3 {
		dir := t.TempDir()
		before := fsyncs(t, dir, 200)
		s := storetest.Open(t, store.Options{Dir: dir})
		began := time.Now()
		took := make([][]time.Duration, writers)
		var group sync.WaitGroup
		for writer := range writers {
			group.Go(func() {
				for i := range each {
					start := time.Now()
					if err := s.Write(t.Context(), put(fmt.Sprintf("%d-%d", writer, i))); err != nil {
						t.Error(err)
						return
					}
					took[writer] = append(took[writer], time.Since(start))
				}
			})
		}
		group.Wait()
		all := time.Since(began)
		disk := percentile(append(before, fsyncs(t, dir, 200)...), 99)
		p99 := percentile(slices.Concat(took...), 99)
		limit := 3*disk + slower*20*time.Millisecond
		report = fmt.Sprintf("fsync p99 %v; change p50 %v, p99 %v, limit %v; %.0f changes/s",
			disk, percentile(slices.Concat(took...), 50), p99, limit, writers*each/all.Seconds())
		t.Log(report)
		if p99 <= limit {
			return
		}
	}
	t.Error(report)
}

// fsyncs measures n times how long a page takes to the disk of dir.
func fsyncs(t *testing.T, dir string, n int) (all []time.Duration) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, 4096)
	for range n {
		start := time.Now()
		if _, err := file.Write(page); err != nil {
			t.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
		all = append(all, time.Since(start))
	}
	return all
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
