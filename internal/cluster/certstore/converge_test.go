package certstore

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
)

// TestStorage_NodesAgreeOnTheLastWordOnceTheyAllSeeTheStore lets three nodes
// store, delete, lose the store, see it again and restart, in any order.
func TestStorage_NodesAgreeOnTheLastWordOnceTheyAllSeeTheStore(t *testing.T) {
	now := atomic.Int64{}
	now.Store(time.Now().UnixMilli())
	ticking := clock.At(func() time.Time { return time.UnixMilli(now.Load()) })
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Log: quiet, Clock: ticking})
	must(t, err)
	defer s.Close()
	base, runs := t.TempDir(), 0

	rapid.Check(t, func(r *rapid.T) {
		runs++
		must(t, s.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`DELETE FROM cert_file`)
			return err
		}))
		nodes, lines := make([]*Storage, 3), make([]*cut, 3)
		start := func(i int) {
			if nodes[i] != nil {
				nodes[i].Close()
			}
			nodes[i] = New(Options{Store: lines[i], Dir: filepath.Join(base, fmt.Sprint(runs), fmt.Sprint(i)), Holder: fmt.Sprint(i), Log: quiet, Clock: ticking})
		}
		for i := range nodes {
			lines[i] = &cut{Store: s}
			start(i)
		}
		last := map[string]string{}
		for step := range rapid.IntRange(1, 25).Draw(r, "steps") {
			now.Add(1000)
			i := rapid.IntRange(0, 2).Draw(r, "node")
			key := rapid.SampledFrom([]string{"a/x", "a/y", "b"}).Draw(r, "key")
			switch act := rapid.SampledFrom([]string{"store", "store", "delete", "cut", "heal", "pass", "restart"}).Draw(r, "act"); act {
			case "store":
				value := fmt.Sprintf("%d of %d", step, i)
				must(t, nodes[i].Store(t.Context(), key, []byte(value)))
				last[key] = value
			case "delete":
				if nodes[i].Exists(t.Context(), key) { // else it deletes nothing that it could know of
					must(t, nodes[i].Delete(t.Context(), key))
					last[key] = ""
				}
			case "cut":
				lines[i].lost.Store(true)
			case "heal":
				lines[i].lost.Store(false)
				_ = nodes[i].pass(t.Context())
			case "pass":
				_ = nodes[i].pass(t.Context()) // fails while the store is lost
			case "restart":
				start(i)
			}
		}
		for range 2 {
			for i, n := range nodes {
				lines[i].lost.Store(false)
				must(t, n.pass(t.Context()))
			}
		}
		for i, n := range nodes {
			for key, want := range last {
				if !has(n, key, want) {
					got, err := n.Load(t.Context(), key)
					r.Errorf("node %d has %q (%v) for %s, want %q", i, got, err, key, want)
				}
			}
			if waiting := n.State().Waiting; waiting > 0 {
				r.Errorf("node %d still has %d changes to tell", i, waiting)
			}
			n.Close()
		}
	})
}

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"certificates/ca/x/x.crt", "../x", "a/../../x", "/x", "a//b", ".", "a/.new-1", "wildcard_.x"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if checkKey(key) != nil {
			return
		}
		d := newDisk("/data/certs", quiet, nil)
		path := d.path(key)
		if !strings.HasPrefix(path, "/data/certs/") || strings.TrimPrefix(path, "/data/certs/") != key {
			t.Errorf("%q becomes %s", key, path)
		}
	})
}
