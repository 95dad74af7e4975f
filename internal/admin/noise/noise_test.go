package noise

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestBound_SaysHowMuchItLeftOut(t *testing.T) {
	start := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	b, logger := New(), slog.New(slog.NewTextHandler(&log, nil))
	for range 100 {
		b.Warn(start, logger, "strange")
	}
	if lines := strings.Count(log.String(), "strange"); lines != burst {
		t.Errorf("100 lines at once made %d, want %d", lines, burst)
	}
	b.Warn(start.Add(every), logger, "strange", "why", "x")
	if want := "why=x lines_left_out_before=90"; !strings.Contains(log.String(), want) {
		t.Errorf("%q is not in\n%s", want, log.String())
	}
}
