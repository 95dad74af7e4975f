//go:build !race

package storeloss

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/client"
)

// TestChange_Of50WritersAtOnceIsAcknowledgedWithinThreeFsyncs holds the figure of
// issue 3 for the whole way of a change, from an operator's program over the unix socket
// to SQLite and back: p99 of an acknowledged change <= 3 x the disk's p99 fsync + 20 ms.
// Other work on the machine disturbs either side, so the best of ten tries counts.
//
// Fifty programs and the door share the processors here, so the figure is also one of the
// machine. What make test holds is that of a change itself (internal/cluster/setting);
// this one needs a quiet machine and no race detector, which makes it twenty times as
// slow.
func TestChange_Of50WritersAtOnceIsAcknowledgedWithinThreeFsyncs(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement, which wants a quiet machine")
	}
	const writers, each = 50, 20
	sites := make([]string, writers)
	for i := range sites {
		sites[i] = fmt.Sprintf("site-%d.example", i)
	}
	door := newEvergate(t, plan{name: "door-1", backend: backend(t), hosts: sites})
	door.start(t)
	var report string
	for try := range 10 {
		disk := fsyncs(t, filepath.Dir(door.config))
		began := time.Now()
		took := make([][]time.Duration, writers)
		var group sync.WaitGroup
		for writer, site := range sites {
			group.Go(func() {
				operator, err := client.New(client.Options{Socket: door.socket})
				if err != nil {
					t.Error(err)
					return
				}
				defer operator.Close()
				for i := range each {
					version := int64(try*each + i)
					change := client.Turn{Value: []byte(fmt.Sprint(version%2 == 0)), Version: version, Reason: fmt.Sprintf("%d", version)}
					start := time.Now()
					if _, err := operator.Set(t.Context(), shutOf(site), change); err != nil {
						t.Error(err)
						return
					}
					took[writer] = append(took[writer], time.Since(start))
				}
			})
		}
		group.Wait()
		all := time.Since(began)
		if t.Failed() {
			return
		}
		device := percentile(append(disk, fsyncs(t, filepath.Dir(door.config))...), 99)
		p99, most := percentile(slices.Concat(took...), 99), 3*device+20*time.Millisecond
		report = fmt.Sprintf("fsync p99 %v; change p50 %v, p99 %v, limit %v; %.0f changes/s",
			device, percentile(slices.Concat(took...), 50), p99, most, writers*each/all.Seconds())
		t.Log(report)
		if p99 <= most {
			return
		}
	}
	t.Error(report)
}

// fsyncs measures 200 times how long a page takes to the disk of dir.
func fsyncs(t *testing.T, dir string) (all []time.Duration) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, 4096)
	for range 200 {
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
