package proxy

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/evergate/evergate/internal/config"
)

func newBudget(cfg config.Budget, requests int) *budget {
	b := new(budget)
	b.configure(cfg)
	for range requests {
		b.enter()
	}
	return b
}

// taken takes retries at now until there are none, and says how many there were.
func taken(b *budget, now time.Time) int {
	n := 0
	for n < 10_000 && b.take(now) {
		n++
	}
	return n
}

var budgetStart = time.Date(2026, 11, 25, 7, 0, 0, 0, time.UTC)

func TestBudget_Take(t *testing.T) {
	tests := []struct {
		name     string
		cfg      config.Budget
		requests int
		want     int // retries at once, and not one more
	}{
		{"a quiet origin may retry up to min", config.Budget{Percent: 20, Min: 3, Rate: 10, Burst: 20}, 1, 3},
		{"the share grows with the requests under way", config.Budget{Percent: 20, Min: 3, Rate: 10, Burst: 1000}, 100, 20},
		{"part of a retry is not granted", config.Budget{Percent: 20, Min: 3, Rate: 10, Burst: 1000}, 24, 4},
		{"the larger of share and min counts, not their sum", config.Budget{Percent: 20, Min: 3, Rate: 10, Burst: 1000}, 15, 3},
		{"the bucket bounds what the share would allow", config.Budget{Percent: 20, Min: 3, Rate: 10, Burst: 20}, 1000, 20},
		{"no percent leaves min", config.Budget{Percent: 0, Min: 2, Rate: 10, Burst: 20}, 1000, 2},
		{"neither percent nor min is no retry at all", config.Budget{Percent: 0, Min: 0, Rate: 10, Burst: 20}, 1000, 0},
		{"an empty bucket is no retry at all", config.Budget{Percent: 100, Min: 10, Rate: 10, Burst: 0}, 1000, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBudget(tt.cfg, tt.requests)
			if got := taken(b, budgetStart); got != tt.want {
				t.Errorf("%d retries granted, want %d", got, tt.want)
			}
			if b.underWay() != tt.want {
				t.Errorf("%d under way, want %d", b.underWay(), tt.want)
			}
		})
	}
}

func TestBudget_ARetryThatEndedMakesRoomButGivesNoTokenBack(t *testing.T) {
	b := newBudget(config.Budget{Min: 1, Rate: 0, Burst: 3}, 1)
	for i := range 3 {
		if !b.take(budgetStart) {
			t.Fatalf("retry %d was denied", i+1)
		}
		if b.take(budgetStart) {
			t.Fatal("two retries at once with min 1")
		}
		b.give()
	}
	if b.take(budgetStart) {
		t.Error("a fourth retry from a bucket of three that is never filled")
	}
}

func TestBudget_TheBucketFillsAtItsRateUpToItsSize(t *testing.T) {
	b := newBudget(config.Budget{Min: 1000, Rate: 10, Burst: 20}, 1)
	at := budgetStart
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 20}, {99 * time.Millisecond, 0}, {time.Millisecond, 1}, {time.Second, 10}, {time.Hour, 20}, {0, 0}} {
		at = at.Add(step.wait)
		if got := taken(b, at); got != step.want {
			t.Errorf("%s later: %d retries, want %d", step.wait, got, step.want)
		}
	}
}

func TestBudget_AReloadKeepsWhatTheBucketHolds(t *testing.T) {
	b := newBudget(config.Budget{Min: 1000, Burst: 20}, 1)
	for range 15 {
		b.take(budgetStart)
	}
	b.configure(config.Budget{Min: 1000, Burst: 100})
	if got := taken(b, budgetStart); got != 5 {
		t.Errorf("after a larger bucket was configured: %d retries, want the 5 that were left", got)
	}
	b = newBudget(config.Budget{Min: 1000, Burst: 20}, 1)
	b.configure(config.Budget{Min: 1000, Burst: 4})
	if got := taken(b, budgetStart); got != 4 {
		t.Errorf("after a smaller bucket was configured: %d retries, want 4", got)
	}
}

func TestBudget_ARetryWaitsItsTurn(t *testing.T) {
	tests := []struct {
		name    string
		cfg     config.Budget
		taken   int           // retries before, of which one ends after ends
		ends    time.Duration // 0: none does
		retries int           // that come at once now
		want    []time.Duration
	}{
		{"until another one ends", config.Budget{Min: 1, Burst: 20}, 1, 50 * time.Millisecond, 1, []time.Duration{50 * time.Millisecond}},
		{"until the bucket has a token", config.Budget{Min: 100, Rate: 10, Burst: 1}, 1, 0, 2,
			[]time.Duration{100 * time.Millisecond, 200 * time.Millisecond}},
		{"and not for longer than its patience", config.Budget{Min: 1, Burst: 20}, 1, 0, 1, nil},
		{"and not at all when the bucket will be empty", config.Budget{Min: 100, Burst: 1}, 1, 0, 3, nil},
		{"and not behind more than the bucket will serve in time", config.Budget{Min: 100, Rate: 2.5, Burst: 1}, 1, 0, 5,
			[]time.Duration{400 * time.Millisecond, 800 * time.Millisecond}},
		{"and never where no retry is allowed", config.Budget{Rate: 100, Burst: 20}, 0, 0, 2, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(tt.cfg, 1)
				for range tt.taken {
					if !b.take(time.Now()) {
						t.Fatal("the retries before were denied")
					}
				}
				start := time.Now()
				granted := make(chan time.Duration, tt.retries)
				for range tt.retries {
					go func() {
						if b.await(t.Context(), time.Minute) {
							granted <- time.Since(start)
						}
					}()
					synctest.Wait()
				}
				if tt.ends > 0 {
					time.Sleep(tt.ends)
					b.give()
				}
				time.Sleep(2 * budgetPatience)
				synctest.Wait()
				close(granted)
				var got []time.Duration
				for d := range granted {
					got = append(got, d.Round(10*time.Millisecond))
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("granted after %v, want %v", got, tt.want)
				}
				if len(b.waiting) != 0 {
					t.Errorf("%d still wait", len(b.waiting))
				}
			})
		})
	}
}

func TestBudget_ALargerShareServesThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Budget{Min: 1, Burst: 20}
		b := newBudget(cfg, 10)
		b.take(time.Now())
		granted := make(chan struct{}, 3)
		for range 3 {
			go func() {
				if b.await(t.Context(), time.Minute) {
					granted <- struct{}{}
				}
			}()
		}
		synctest.Wait()
		start := time.Now()
		cfg.Percent = 30
		b.configure(cfg)
		synctest.Wait()
		if len(granted) != 2 || time.Since(start) != 0 {
			t.Errorf("%d granted after %v, want 2 at once: 3 of 10 requests may be retries, and one is", len(granted), time.Since(start))
		}
	})
}

func TestBudget_AVisitorWhoLeavesWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(config.Budget{Min: 1, Burst: 20}, 1)
		b.take(time.Now())
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, leave)
		start := time.Now()
		if b.await(ctx, time.Minute) || time.Since(start) != 10*time.Millisecond {
			t.Errorf("it waited for %v", time.Since(start))
		}
		b.give()
		if !b.take(time.Now()) {
			t.Error("the place that nobody waits for any more is not to be had")
		}
	})
}

func TestBudget_BoundsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() config.Budget {
			return config.Budget{
				Percent: rapid.IntRange(0, 100).Draw(t, "percent"), Min: rapid.IntRange(0, 5).Draw(t, "min"),
				Rate: float64(rapid.IntRange(0, 50).Draw(t, "rate")), Burst: rapid.IntRange(0, 30).Draw(t, "burst"),
			}
		}
		cfg := draw()
		b := newBudget(cfg, 0)
		now, requests, retries := budgetStart, 0, 0
		tokens := float64(cfg.Burst) // what a bucket of the guide would hold, with a little tolerance
		t.Repeat(map[string]func(*rapid.T){
			"a request comes": func(*rapid.T) { b.enter(); requests++ },
			"a request leaves": func(t *rapid.T) {
				if requests > 0 {
					b.leave()
					requests--
				}
			},
			"a retry is asked for": func(t *rapid.T) {
				allowed := max(cfg.Min, requests*cfg.Percent/100)
				granted := b.take(now)
				if granted {
					retries++
					tokens--
				}
				switch {
				case granted && retries > allowed:
					t.Fatalf("%d retries under way, the bound is %d", retries, allowed)
				case granted && tokens < -1e-6:
					t.Fatalf("more retries than the bucket ever held: %f", tokens)
				case !granted && retries < allowed && tokens >= 1+1e-6:
					t.Fatalf("denied with %d of %d under way and %f in the bucket", retries, allowed, tokens)
				}
			},
			"a retry ends": func(t *rapid.T) {
				if retries > 0 {
					b.give()
					retries--
				}
			},
			"time passes": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond
				now = now.Add(d)
				tokens = min(tokens+d.Seconds()*cfg.Rate, float64(cfg.Burst))
			},
			"": func(t *rapid.T) {
				if b.underWay() != retries {
					t.Fatalf("%d under way, want %d", b.underWay(), retries)
				}
				if b.tokens > float64(cfg.Burst) {
					t.Fatalf("%f tokens in a bucket of %d", b.tokens, cfg.Burst)
				}
			},
		})
	})
}
