package setting

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/cluster/store/storetest"
)

// childVariable tells a copy of the test binary to change settings instead of testing;
// its value is a folder.
const childVariable = "EVERGATE_SETTINGTEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := changeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// ack is what a child says of a change that was acknowledged.
type ack struct {
	Key, ID, Value, Reason string
	At                     time.Time
	Stored                 Stored
	Due                    string
}

// changeUntilKilled changes settings as fast as it can, with a store that comes and
// goes, and says on standard output what was acknowledged.
func changeUntilKilled(dir string) error {
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{Dir: dir, Log: quiet})
	if err != nil {
		return err
	}
	w := newWire(st)
	s, err := New(Options{Store: w, Dir: dir, Node: "child", Log: quiet})
	if err != nil {
		return err
	}
	s.Start(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			clock.Sleep(ctx, rand.N(15*time.Millisecond))
			w.set([]mode{passes, passes, refuses, errs, mute}[rand.N(5)])
			s.wake()
		}
	})
	for writer := range 6 {
		group.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprint("key-", writer%3) // two writers each
				now, _ := s.Current(key)
				c := Change{Key: key, Value: value(fmt.Sprint(i)), Based: now.Number, Actor: "ann", Reason: fmt.Sprint(writer, " ", i)}
				if i%7 == 0 {
					c.RevertAfter = time.Hour
				}
				r, err := s.Put(ctx, c)
				if err != nil {
					var conflict *ConflictError
					if !errors.As(err, &conflict) && !errors.Is(err, ErrUnsure) {
						fmt.Fprintln(os.Stderr, err)
					}
					continue
				}
				a := ack{Key: key, ID: r.Version.ID, Value: string(r.Version.Value), Reason: r.Version.Reason, At: r.Version.At, Stored: r.Stored}
				if r.Due != nil {
					a.Due = r.Due.ID
				}
				line, _ := json.Marshal(a)
				fmt.Println(string(line)) // one write system call; what is in the pipe outlives us
			}
		})
	}
	group.Wait()
	return nil
}

// killOnce returns what a child said was acknowledged before it was killed.
func killOnce(t *testing.T, dir string) (all []ack) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var fuse *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a ack
		must(t, json.Unmarshal(lines.Bytes(), &a))
		all = append(all, a)
		if fuse == nil {
			fuse = time.AfterFunc(rand.N(200*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || fuse == nil {
		t.Fatalf("the child was not killed while it changed settings: %v, %d acknowledgements", err, len(all))
	}
	return all
}

// TestService_KilledAtAnyMomentItHasWhatItAcknowledged kills 200 times with
// EVERGATE_KILLS=200.
func TestService_KilledAtAnyMomentItHasWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acked, journaled := map[string]ack{}, 0
	rounds := storetest.Kills(t, 15)
	for range rounds {
		for _, a := range killOnce(t, dir) {
			acked[a.ID] = a
			if a.Stored == InJournal {
				journaled++
			}
		}
		// In every other round the child itself has to sort out what the last one left.
		if rand.N(2) == 0 {
			compareAll(t, dir, acked)
		}
	}
	compareAll(t, dir, acked)
	t.Logf("%d kills, %d acknowledged changes, %d of them in the journal: all there", rounds, len(acked), journaled)
}

// compareAll looks for every acknowledged change in the store that a new process
// finds, once its journal is replayed.
func compareAll(t *testing.T, dir string, acked map[string]ack) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: dir, Log: quiet})
	must(t, err)
	defer st.Close()
	s := open(t, Options{Store: st, Dir: dir, Node: "parent"})
	s.Start(t.Context())
	defer s.Stop()
	wait(t, "the journal is replayed", func() bool { return s.State().Journal == 0 && !s.State().Lost })
	if s.State().Damaged > 0 {
		t.Errorf("%d lines of the journal are damaged", s.State().Damaged)
	}
	there := map[string]Version{}
	last := map[string]int64{}
	must(t, st.Read(t.Context(), func(tx *store.Tx) error {
		all, err := since(tx, 0)
		for _, v := range all {
			there[v.ID] = v
			if v.Number != last[v.Key]+1 {
				t.Errorf("%s: version %d follows %d", v.Key, v.Number, last[v.Key])
			}
			last[v.Key] = v.Number
		}
		for _, a := range acked {
			if a.Due != "" && err == nil {
				var known bool
				if _, known, err = dueOf(tx, a.Due); err == nil && !known {
					t.Errorf("the revert %s was acknowledged and is lost", a.Due)
				}
			}
		}
		return err
	}))
	for id, a := range acked {
		v, ok := there[id]
		// The store may have taken it a moment earlier and not said so; its time counts then.
		near := v.At.Equal(a.At) || a.Stored == InJournal && a.At.Sub(v.At).Abs() < time.Second
		if !ok || v.Key != a.Key || string(v.Value) != a.Value || v.Reason != a.Reason || !near {
			t.Errorf("acknowledged %+v, in the history %t %+v", a, ok, v)
		}
	}
	for key, number := range last {
		if v, _ := s.Current(key); v.Number != number {
			t.Errorf("%s: in force is version %d of %d", key, v.Number, number)
		}
	}
}
