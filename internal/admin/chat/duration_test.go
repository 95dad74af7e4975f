package chat

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDuration(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration // 0: refused
	}{
		{"15m", 15 * time.Minute},
		{"2h", 2 * time.Hour},
		{"1h30m", 90 * time.Minute},
		{"1h 30m", 90 * time.Minute},
		{"15 minutes", 15 * time.Minute},
		{"1 Hour", time.Hour},
		{"90s", 90 * time.Second},
		{"1d", 24 * time.Hour},
		{"366d", maxRevert},
		{"366d1s", 0},
		{"30m1h", 0}, // most likely a slip
		{"1h1h", 0},
		{"1h30", 0},
		{"h", 0},
		{"1ms", 0},
		{"1w", 0},
		{"", 0},
		{"0s", 0},
		{"１５m", 0},
	}
	for _, tt := range tests {
		got, err := duration(tt.text)
		if got != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("duration(%q) is %s, %v, want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestBriefIsReadBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, int64(maxRevert/time.Second)).Draw(t, "seconds")) * time.Second
		if got, err := duration(brief(d)); err != nil || got != d {
			t.Fatalf("duration(%q) is %s, %v, want %s", brief(d), got, err, d)
		}
	})
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 3*time.Hour + 2*time.Minute + time.Second: "3h2m",
		49*time.Hour + time.Minute: "2d1h", 48*time.Hour + time.Minute: "2d",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%s) is %q, want %q", d, got, want)
		}
	}
}
