package chat

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// noise bounds the lines that strangers can write into the log: anybody can send
// anything to a public address. The figures count what is left out. It is safe for
// concurrent use.
type noise struct {
	limiter *rate.Limiter
	skipped atomic.Int64 // lines since the last
}

func newNoise() *noise { return &noise{limiter: rate.NewLimiter(rate.Every(10*time.Second), 10)} }

func (n *noise) warn(now time.Time, log *slog.Logger, text string, args ...any) {
	if !n.limiter.AllowN(now, 1) {
		n.skipped.Add(1)
		return
	}
	if skipped := n.skipped.Swap(0); skipped > 0 {
		args = append(args, "lines_left_out_before", skipped)
	}
	log.Warn(text, args...)
}
