package lease

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestL1_TermsRiseAndOneHoldsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		one, two := elector(t, b, "one"), elector(t, b, "two")
		for want := int64(1); want <= 6; want++ {
			n := elected(t, one)
			if n.Number != want || n.Holder != "one" || n.Name != "job" || !n.Trusted(time.Now()) {
				t.Fatalf("term is %+v, want number %d", n.Term, want)
			}
			if s := one.State(); !s.Held || s.Number != want || s.Holder != "one" {
				t.Errorf("the state is %+v", s)
			}
			if other, err := two.Try(t.Context()); other != nil || err != nil {
				t.Errorf("the other got %v, %v", other, err)
			}
			if _, err := one.Try(t.Context()); !errors.Is(err, ErrHeld) {
				t.Errorf("a second term of one elector: %v", err)
			}
			if err := n.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n.Trusted(time.Now()) || n.Context().Err() == nil || one.State().Held {
				t.Error("trusted after resigning")
			}
			if err := n.Resign(t.Context()); err != nil {
				t.Errorf("resigning twice: %v", err)
			}
			one, two = two, one
			one.o.Holder, two.o.Holder = "one", "two"
		}
	})
}

func TestL2_TrustLastsAsLongAsItIsRenewedAndEndsOnTimeWithoutTheStore(t *testing.T) {
	for _, form := range []string{"refused", "hanging"} {
		t.Run(form, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFakeBook()
				n := elected(t, elector(t, b, "one"))
				time.Sleep(time.Minute)
				synctest.Wait()
				if !n.Trusted(time.Now()) {
					t.Fatal("trust has ended though it was renewed")
				}
				b.change(func() { b.failing, b.hanging = form == "refused", form == "hanging" })
				cut := time.Now()
				<-n.Context().Done()
				// The last renewal was at most 1 s before the cut: 3 to 4 s are left.
				if lasted := time.Since(cut); lasted < 3*time.Second || lasted > 4*time.Second {
					t.Errorf("trust ended %v after the store was lost, want TTL - margin after the last renewal", lasted)
				}
				if cause := context.Cause(n.Context()); !errors.Is(cause, ErrOver) {
					t.Errorf("its cause is %v", cause)
				}
				b.change(func() { b.failing, b.hanging = false, false })
				if time.Sleep(time.Minute); n.Trusted(time.Now()) {
					t.Error("trust came back")
				}
			})
		})
	}
}

func TestL2_AnAnswerThatComesTooLateRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrust(time.Now().Add(time.Second))
		time.Sleep(time.Second)
		if tr.extend(time.Now().Add(time.Hour)) || tr.lasts(time.Now()) {
			t.Error("revived")
		}
		<-tr.ctx.Done()
	})
}

func TestL4_AnotherTakesOverWithinTTLAndRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		away := false
		old := elected(t, elector(t, cutOff{b, &away}, "one"))
		for i := range 50 {
			time.Sleep(time.Duration(i) * 37 * time.Millisecond)
			b.change(func() { away = true }) // it dies, as far as the others can see
			cut := time.Now()
			n := elected(t, elector(t, b, "two"))
			if took := time.Since(cut); took > 6*time.Second {
				t.Errorf("took over after %v, want at most TTL + renewal", took)
			}
			if old.Trusted(time.Now()) {
				t.Error("two hold at once")
			}
			if n.Number != old.Number+1 {
				t.Errorf("term %d after %d", n.Number, old.Number)
			}
			if err := n.Resign(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.change(func() { away = false })
			old = elected(t, elector(t, cutOff{b, &away}, "one"))
		}
	})
}

func TestL4_AResignationWakesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		n := elected(t, elector(t, b, "one"))
		next := make(chan *Tenure)
		go func() { next <- elected(t, elector(t, b, "two")) }()
		synctest.Wait()
		start := time.Now()
		if err := n.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-next
		if took := time.Since(start); took > 50*time.Millisecond {
			t.Errorf("took over after %v", took)
		}
	})
}

func TestL5_AnOlderModuleNeverFollowsANewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		newer := elected(t, elector(t, b, "new", func(o *Options) { o.Module = 2 }))
		if err := newer.Resign(t.Context()); err != nil {
			t.Fatal(err)
		}
		older := elector(t, b, "old", func(o *Options) { o.Module = 1 })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if n, err := older.Elect(ctx); n != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an older module got %v, %v", n, err)
		}
		if s := older.State(); !s.Newer || s.Module != 2 {
			t.Errorf("its state is %+v", s)
		}
		if n := elected(t, elector(t, b, "same", func(o *Options) { o.Module = 2 })); n.Number != 2 {
			t.Errorf("the same module got term %d", n.Number)
		}
	})
}

func TestElector_TakesAtOnceWhatADeadProcessLeftWhenNobodyElseCanReachTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		b.rows["job"] = row{holder: "before the crash", term: 7, expires: b.now() + 5000}
		sole := func(o *Options) { o.Sole = true }
		start := time.Now()
		n := elected(t, elector(t, b, "after it", sole))
		if n.Number != 8 || time.Since(start) > 0 {
			t.Errorf("term %d after %v", n.Number, time.Since(start))
		}
	})
}

func TestElector_TakesATermWhoseElectionItNeverHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		b.rows["job"] = row{holder: "one", term: 7, expires: b.now() + 5000}
		start := time.Now()
		if n := elected(t, elector(t, b, "one")); n.Number != 8 || time.Since(start) > 0 {
			t.Errorf("term %d after %v", n.Number, time.Since(start))
		}
	})
}

func TestElector_BidsAboveTheTermsItHasSeenWhenTheStoreComesBackEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		b.rows["job"] = row{holder: "another", term: 41, expires: 0}
		e := elector(t, b, "one")
		n := elected(t, e)
		b.change(func() { clear(b.rows) })
		<-n.Context().Done()
		if n := elected(t, e); n.Number != 43 {
			t.Errorf("after 42 came term %d", n.Number)
		}
	})
}

func TestElector_StopsWhileTheStoreIsNotToBeTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		may := true
		e := elector(t, b, "one", func(o *Options) {
			o.May = func() bool { b.mu.Lock(); defer b.mu.Unlock(); return may }
		})
		n := elected(t, e)
		b.change(func() { may = false })
		start := time.Now()
		<-n.Context().Done()
		if took := time.Since(start); took > time.Second {
			t.Errorf("stopped after %v, want a renewal at most", took)
		}
		if n, err := e.Try(t.Context()); n != nil || err != nil {
			t.Errorf("elected by a store that is not to be trusted: %v, %v", n, err)
		}
		b.change(func() { may = true })
		if n := elected(t, e); n.Number != 2 {
			t.Errorf("term %d, want its own one retaken as the next", n.Number)
		}
	})
}

func TestElector_StoreClockThatGoesBackDoesNotLockEverybodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		away := false
		old := elected(t, elector(t, cutOff{b, &away}, "one"))
		b.change(func() { away, b.skew = true, -time.Hour })
		start := time.Now()
		n := elected(t, elector(t, b, "two"))
		if took := time.Since(start); took > 7*time.Second || old.Trusted(time.Now()) {
			t.Errorf("took over after %v, the former trusted: %t", took, old.Trusted(time.Now()))
		}
		if n.Number != 2 {
			t.Errorf("term %d", n.Number)
		}
	})
}

func TestElector_StoreClockThatGoesBackDoesNotCostALivingHolderItsTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBook()
		n := elected(t, elector(t, b, "one"))
		b.change(func() { b.skew = -time.Hour })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if other, err := elector(t, b, "two").Elect(ctx); other != nil {
			t.Errorf("the other got %v, %v", other, err)
		}
		if !n.Trusted(time.Now()) {
			t.Error("the holder has lost its term")
		}
	})
}

func TestNew_SaysWhichOptionIsWrong(t *testing.T) {
	tests := []struct {
		name   string
		change Options
		want   string
	}{
		{"no name", Options{Holder: "h"}, "name and holder"},
		{"no holder", Options{Name: "n"}, "name and holder"},
		{"a module below 0", Options{Name: "n", Holder: "h", Module: -1}, "module is -1"},
		{"a TTL that one lost renewal uses up", Options{Name: "n", Holder: "h", TTL: 5 * time.Second, Renew: 3 * time.Second}, "at least twice"},
		{"a margin below 0", Options{Name: "n", Holder: "h", Margin: -1}, "at least twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.change); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("said %v, want %q", err, tt.want)
			}
		})
	}
}
