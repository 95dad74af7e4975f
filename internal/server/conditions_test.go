package server

import (
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/cluster/setting"
)

func TestDueFinding(t *testing.T) {
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	skipped := func(kind setting.DueKind, ago time.Duration) setting.Due {
		return setting.Due{Key: "log.level", Kind: kind, State: setting.Skipped, Settled: now.Add(-ago), Note: "ada has changed it since"}
	}
	tests := []struct {
		name     string
		kept     setting.State
		severity api.Severity
		says     string
	}{
		{"nothing waits", setting.State{}, api.OK, "nothing is late"},
		{"what waits is not late", setting.State{Due: 3}, api.OK, "nothing is late"},
		{"one is late", setting.State{Due: 3, Overdue: 1}, api.Warning, "1 change is late"},
		{"two are late", setting.State{Due: 3, Overdue: 2}, api.Warning, "2 changes are late"},
		{
			"a revert was skipped, because somebody was there before it",
			setting.State{Skipped: []setting.Due{skipped(setting.Revert, time.Minute)}}, api.OK, "nothing is late",
		},
		{
			"a change that was asked for this night was skipped",
			setting.State{Skipped: []setting.Due{skipped(setting.Revert, time.Minute), skipped(setting.Later, time.Hour)}}, api.Warning, "1 change was not made",
		},
		{
			"a change was skipped the day before",
			setting.State{Skipped: []setting.Due{skipped(setting.Later, 25*time.Hour)}}, api.OK, "nothing is late",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := dueFinding(tt.kept, now)
			if got.Severity != tt.severity || !strings.Contains(got.Summary, tt.says) {
				t.Errorf("%s %q, want %s %q", got.Severity, got.Summary, tt.severity, tt.says)
			}
			if (got.Detail == "") != (got.Severity == api.OK) {
				t.Errorf("the detail is %q", got.Detail)
			}
		})
	}
}
