package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

func TestLogging_FollowsTheConfiguration(t *testing.T) {
	tests := []struct {
		name      string
		log       config.Log
		want, not string
	}{
		{"JSON when nobody looks", config.Log{Level: "info", Format: "auto"}, `"msg":"hello"`, "msg=hello"},
		{"JSON names the node", config.Log{Level: "info", Format: "auto"}, `"node":"door-1"`, ""},
		{"JSON writes times for people", config.Log{Level: "info", Format: "auto"}, `"timeout":"1m30s"`, "90000000000"},
		{"text when asked for", config.Log{Level: "info", Format: "text"}, "msg=hello", "door-1"},
		{"debug lines when asked for", config.Log{Level: "debug", Format: "json"}, `"msg":"detail"`, ""},
		{"no info lines when only errors are wanted", config.Log{Level: "error", Format: "json"}, `"msg":"broken"`, "hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			log, settings := newLogging(&out)
			settings.apply(&config.Config{Node: config.Node{Name: "door-1"}, Log: tt.log})
			log.Debug("detail")
			log.Info("hello", "timeout", 90*time.Second)
			log.Error("broken")
			if !strings.Contains(out.String(), tt.want) {
				t.Errorf("want %q in\n%s", tt.want, &out)
			}
			if tt.not != "" && strings.Contains(out.String(), tt.not) {
				t.Errorf("do not want %q in\n%s", tt.not, &out)
			}
		})
	}
}

func TestLogging_ALoggerMadeBeforeAReloadFollowsToo(t *testing.T) {
	var out bytes.Buffer
	log, settings := newLogging(&out)
	part := log.With(slog.String("part", "front")).WithGroup("conn")
	settings.apply(&config.Config{Node: config.Node{Name: "n"}, Log: config.Log{Level: "warn", Format: "text"}})
	part.Info("hidden")
	part.Warn("seen", "peer", "::1")
	if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "part=front conn.peer=::1") {
		t.Errorf("got %s", got)
	}
}
