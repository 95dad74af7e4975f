package cli

import (
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	now := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	tests := []struct {
		name       string
		away       time.Duration
		ago, until string
	}{
		{"the same moment", 0, "just now", "now"},
		{"seconds", 12 * time.Second, "12 s ago", "in 12 s"},
		{"minutes", 3*time.Minute + 20*time.Second, "3 min ago", "in 3 min"},
		{"what was set a moment ago for a quarter of an hour", 15*time.Minute - time.Second, "14 min ago", "in 15 min"},
		{"hours", 47 * time.Hour, "47 h ago", "in 47 h"},
		{"days", 50 * time.Hour, "2 days ago", "in 2 days"},
		{"the other way round, by clocks that differ", -time.Minute, "just now", "now"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ago(now.Add(-tt.away), now); got != tt.ago {
				t.Errorf("ago is %q, want %q", got, tt.ago)
			}
			if got := until(now.Add(tt.away), now); got != tt.until {
				t.Errorf("until is %q, want %q", got, tt.until)
			}
		})
	}
	if ago(time.Time{}, now)+until(time.Time{}, now)+moment(time.Time{}) != "" {
		t.Error("a time that is not known is not empty")
	}
}
