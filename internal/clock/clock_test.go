package clock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	tests := []struct {
		name   string
		wait   time.Duration
		leave  time.Duration // until ctx ends; 0: it has ended
		lasted bool
		took   time.Duration
	}{
		{"the time goes by", time.Minute, time.Hour, true, time.Minute},
		{"the context ends first", time.Hour, time.Minute, false, time.Minute},
		{"the context has ended", time.Hour, 0, false, 0},
		{"no time, and a context that lasts", 0, time.Hour, true, 0},
		{"less than no time", -time.Hour, time.Hour, true, 0},
		{"no time, and a context that has ended", 0, 0, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.leave)
				defer cancel()
				began := time.Now()
				lasted := Sleep(ctx, tt.wait)
				if took := time.Since(began); lasted != tt.lasted || took != tt.took {
					t.Errorf("lasted %t after %s, want %t after %s", lasted, took, tt.lasted, tt.took)
				}
			})
		})
	}
}

func TestClock_TheZeroValueIsTheRealOne(t *testing.T) {
	var real Clock
	if before := time.Now(); real.Now().Before(before) {
		t.Error("it is behind")
	}
	moment := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	if c := At(func() time.Time { return moment }); !c.Now().Equal(moment) {
		t.Errorf("%s, want %s", c.Now(), moment)
	}
}
