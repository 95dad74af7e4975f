package origin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/exchange"
)

func TestDispatch_backupsServeOnlyWhenNoPrimaryCan(t *testing.T) {
	w := &world{}
	cfg := settingsFor(a1, a2)
	cfg.Servers[1].Backup = true
	o := w.open(t, cfg)
	for range 20 {
		if s := attempt(t, o, get, exchange.Success, 200); s != s1 {
			t.Fatalf("went to the backup")
		}
	}
	v := visitIn(t, o, get)
	l := acquire(t, v, s1)
	if l.Server() != s2 {
		t.Error("the primary failed this request, and the backup was not used")
	}
	l.Report(exchange.Success, 200)
	l.Done()
	v.Leave()
	failOn(t, o, s1, 5)
	if s := attempt(t, o, get, exchange.Success, 200); s != s2 {
		t.Errorf("the primary is ejected, and the request went to %s", s)
	}
}

func TestDispatch_aServerWithoutFreeSlotMakesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 2
		o := w.open(t, cfg)
		var all []*waiter
		for range 5 {
			all = append(all, wait(o, Arrival{HeldBytes: 10}))
			synctest.Wait()
		}
		if s := o.Snapshot(); s.Queue.Depth != 3 || s.Queue.Bytes != 30 || s.Servers[0].InFlight != 2 {
			t.Fatalf("depth %d, bytes %d, in flight %d; want 3, 30, 2", s.Queue.Depth, s.Queue.Bytes, s.Servers[0].InFlight)
		}
		all[3].finish(exchange.Canceled, 0) // its client is gone
		if s := o.Snapshot(); s.Queue.Depth != 2 || s.Queue.Bytes != 20 {
			t.Errorf("depth %d, bytes %d after a client has gone; want 2, 20", s.Queue.Depth, s.Queue.Bytes)
		}
		time.Sleep(time.Second)
		all[0].finish(exchange.Success, 200)
		synctest.Wait()
		if !all[2].served() || all[4].ended() {
			t.Error("the free slot did not go to the first who waits")
		}
		if got := all[2].visit.Wait(); got.Queued != time.Second || got.Position != 1 {
			t.Errorf("waited %+v, want 1 s from position 1", got)
		}
		for _, r := range []int{1, 2, 4} {
			all[r].finish(exchange.Success, 200)
		}
		if s := o.Snapshot(); s.InFlight != 0 || s.Queue.Depth != 0 || s.Queue.Bytes != 0 || s.Servers[0].InFlight != 0 {
			t.Errorf("something is left: %+v", s)
		}
	})
}

func TestDispatch_theQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 1
		cfg.Queue.MaxRequests, cfg.Queue.MaxBytes = 2, 100
		o := w.open(t, cfg)
		busy := wait(o, get)
		synctest.Wait()
		big := wait(o, Arrival{HeldBytes: 101})
		synctest.Wait()
		if !errors.Is(big.err, ErrQueueFull) {
			t.Errorf("too many bytes: %v, want ErrQueueFull", big.err)
		}
		one, two := wait(o, Arrival{HeldBytes: 60}), (*waiter)(nil)
		synctest.Wait()
		more := wait(o, Arrival{HeldBytes: 60})
		synctest.Wait()
		if !more.ended() || !errors.Is(more.err, ErrQueueFull) || one.ended() {
			t.Errorf("too many bytes together: %v", more.err)
		}
		two = wait(o, get)
		synctest.Wait()
		three := wait(o, get)
		synctest.Wait()
		if !errors.Is(three.err, ErrQueueFull) {
			t.Errorf("too many requests: %v, want ErrQueueFull", three.err)
		}
		// The first arrival lost its server: the last to arrive makes room.
		again, err := make(chan error), error(nil)
		busy.lease.Report(exchange.Reset, 0)
		lease := busy.lease
		go func() {
			l, err := busy.visit.Acquire(context.Background(), []string{s1}, true)
			busy.lease = l
			again <- err
		}()
		synctest.Wait()
		if !two.ended() || !errors.Is(two.err, ErrQueueFull) || one.ended() {
			t.Errorf("the last one: %v, want ErrQueueFull; the one before it still waits", two.err)
		}
		lease.Done()
		if err = <-again; err != nil || one.ended() {
			t.Errorf("acquire again: %v; the first arrival was overtaken: %t", err, one.ended())
		}
		for _, r := range []*waiter{busy, big, one, more, two, three} {
			r.finish(exchange.Success, 200)
		}
	})
}

func TestDispatch_waitingHasADeadlineThatARetryDoesNotRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		o := w.open(t, settingsFor(a1))
		r := wait(o, get)
		synctest.Wait()
		time.Sleep(20 * time.Second)
		failOn(t, o, s1, 5)
		w.server(s1).set(true, 0)
		start := time.Now()
		r.lease.Report(exchange.Timeout, 0)
		r.lease.Done()
		if _, err := r.visit.Acquire(context.Background(), []string{s1}, true); !errors.Is(err, ErrQueueDeadline) {
			t.Errorf("%v, want ErrQueueDeadline", err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("waited %v, want 10 s: 30 s from arrival", d)
		}
		if _, err := r.visit.Acquire(context.Background(), nil, false); !errors.Is(err, ErrQueueDeadline) {
			t.Errorf("without waiting: %v, want ErrQueueDeadline", err)
		}
		r.visit.Leave()
		r.visit, r.lease = nil, nil
	})
}

func TestDispatch_pausedHoldsEverybodyInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Origin = 1
		cfg.Paused = true
		o := w.open(t, cfg)
		one := wait(o, get)
		synctest.Wait()
		two := wait(o, get)
		synctest.Wait()
		if one.ended() || two.ended() {
			t.Fatal("served although paused")
		}
		o.SetPaused(false)
		synctest.Wait()
		if !one.served() || two.ended() {
			t.Fatal("the first was not served first")
		}
		o.SetMaxInFlight(0)
		synctest.Wait()
		if !two.served() {
			t.Error("the limit is gone, and the second still waits")
		}
		one.finish(exchange.Success, 200)
		two.finish(exchange.Success, 200)
	})
}

func TestDispatch_recoveryDoesNotLetAllGoAtOnce(t *testing.T) {
	for _, limit := range []int{0, 50} {
		synctest.Test(t, func(t *testing.T) {
			w := &world{}
			cfg := settingsFor(a1)
			cfg.MaxInFlight.Server = limit
			o := w.open(t, cfg)
			failOn(t, o, s1, 5)
			var all []*waiter
			for range 200 {
				all = append(all, wait(o, get))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			under := func() (n int) {
				for _, r := range all {
					if r.served() {
						n++
					}
				}
				return n
			}
			if n := under(); n != 1 {
				t.Fatalf("limit %d: %d under way in a trial, want 1", limit, n)
			}
			most := 0
			for step := 0; len(all) > 0; step++ {
				var next []*waiter
				served := under()
				if step == 1 {
					want := 10 // for an unlimited server
					if limit > 0 {
						want = (limit*109 + 999) / 1000 // 100 ms later
					}
					if served != want {
						t.Fatalf("limit %d: %d under way right after the recovery, want %d", limit, served, want)
					}
				}
				most = max(most, served)
				var done []*waiter // first look, then end them: ends serve others
				for _, r := range all {
					if r.served() {
						done = append(done, r)
					} else {
						next = append(next, r)
					}
				}
				for _, r := range done {
					r.finish(exchange.Success, 200)
				}
				all = next
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
			}
			if limit > 0 && most > limit {
				t.Errorf("%d under way at once, limit is %d", most, limit)
			}
			if limit == 0 && most > 110 {
				t.Errorf("%d of 200 under way at once", most)
			}
		})
	}
}

func TestDispatch_aSlowStartWakesWaitersAsItGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1)
		cfg.MaxInFlight.Server = 10
		o := w.open(t, cfg)
		failOn(t, o, s1, 5)
		var all []*waiter
		for range 10 {
			all = append(all, wait(o, get))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for _, r := range all {
			if r.served() {
				r.lease.Report(exchange.Success, 200) // its body goes on
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		served := func() (n int) {
			for _, r := range all {
				if r.served() {
					n++
				}
			}
			return n
		}
		if n := served(); n != 6 {
			t.Errorf("%d served in the middle of the slow start, want 6", n)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := served(); n != 10 {
			t.Errorf("%d served at its end, want 10", n)
		}
		for _, r := range all {
			r.finish(exchange.Success, 200)
		}
	})
}

func TestDispatch_untriedServersComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		cfg := settingsFor(a1, a2)
		cfg.MaxInFlight.Server = 1
		o := w.open(t, cfg)
		hold := visitIn(t, o, get)
		held := acquire(t, hold, s1)
		if held.Server() != s2 {
			t.Fatalf("got %s, want the untried one", held.Server())
		}
		r := wait(o, get, s1) // failed on s1, s2 is busy, s1 is free
		synctest.Wait()
		if r.ended() || !r.visit.Untried([]string{s1}) || r.visit.Untried([]string{s1, s2}) {
			t.Error("did not wait for the untried server")
		}
		other := wait(o, get)
		synctest.Wait()
		if !other.served() || other.lease.Server() != s1 {
			t.Error("a slot that the first in the queue does not want was kept from the next")
		}
		held.Done()
		hold.Leave()
		synctest.Wait()
		if !r.served() || r.lease.Server() != s2 {
			t.Error("the untried server is free, and the request still waits")
		}
		r.finish(exchange.Success, 200)
		other.finish(exchange.Success, 200)
	})
}
