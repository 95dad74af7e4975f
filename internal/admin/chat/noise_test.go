package chat

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestNoise_SaysHowMuchItLeftOut(t *testing.T) {
	var log bytes.Buffer
	n, logger := newNoise(), slog.New(slog.NewTextHandler(&log, nil))
	for range 100 {
		n.warn(start, logger, "strange")
	}
	if lines := strings.Count(log.String(), "strange"); lines != 10 {
		t.Errorf("100 lines at once made %d, want 10", lines)
	}
	n.warn(start.Add(10*time.Second), logger, "strange", "why", "x")
	want(t, log.String(), "why=x lines_left_out_before=90")
}
