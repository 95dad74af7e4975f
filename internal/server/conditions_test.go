package server

import (
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
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

func TestOriginFinding(t *testing.T) {
	servers := func(states ...origin.State) []origin.ServerSnapshot {
		var all []origin.ServerSnapshot
		for _, s := range states {
			all = append(all, origin.ServerSnapshot{State: s})
		}
		return all
	}
	tests := []struct {
		name     string
		origin   origin.Snapshot
		severity api.Severity
		says     string
	}{
		{"all is well", origin.Snapshot{Servers: servers(origin.Up, origin.Ramping)}, api.OK, "2 of 2"},
		{"before the first checks", origin.Snapshot{Servers: servers(origin.Unknown, origin.Unknown)}, api.OK, "first checks"},
		{"one of two is out", origin.Snapshot{Servers: servers(origin.Up, origin.Ejected)}, api.Warning, "1 of 2"},
		{"none is left", origin.Snapshot{Servers: servers(origin.Unknown, origin.Ejected)}, api.Failing, "no server"},
		{"there is none at all", origin.Snapshot{}, api.Failing, "no server"},
		{"one that leaves does not count", origin.Snapshot{Servers: append(servers(origin.Up), origin.ServerSnapshot{State: origin.Draining, Leaving: true})}, api.OK, "1 of 1"},
		{"it is paused", origin.Snapshot{Paused: true, Servers: servers(origin.Up)}, api.Warning, "paused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.origin.Name = "app"
			got := originFinding(tt.origin)
			if got.Name != "origin app" || got.Severity != tt.severity || !strings.Contains(got.Summary, tt.says) {
				t.Errorf("%+v, want %s %q", got, tt.severity, tt.says)
			}
		})
	}
}
