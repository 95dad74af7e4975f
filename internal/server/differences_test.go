package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

func TestDifferences_SayBothValuesAndWhoSetTheLever(t *testing.T) {
	text := strings.Replace(minimal("http://127.0.0.1:1", ""), "log: {access", "log: {level: debug, access", 1)
	cfg, _, err := Load(write(t, newDir(t), text))
	if err != nil {
		t.Fatal(err)
	}
	running := []api.Lever{
		{Name: "log.level", Value: json.RawMessage(`"info"`), File: json.RawMessage(`"info"`)},
		{Name: "origins.app.paused", Value: json.RawMessage(`true`), File: json.RawMessage(`false`), Set: true, Version: 3,
			Actor: "ann", Reason: "database moves", Since: time.Unix(0, 0)},
		{Name: "origins.app.max_in_flight", Value: json.RawMessage(`0`), File: json.RawMessage(`0`)},
	}
	got := strings.Join(Differences(cfg, running), "\n")
	for _, want := range []string{
		"log.level is debug now: the file said info before.",
		"origins.app.paused is true (by ann, 1970-01-01 00:00:00 UTC: database moves): the file says false.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the differences lack %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "max_in_flight") {
		t.Errorf("a lever that does not differ is told of:\n%s", got)
	}
}
