// Package noise bounds the lines that strangers can write into the log: anybody can
// send anything to an address that is open to them.
package noise

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The bound: lines at once, and the time until there may be one more.
const (
	burst = 10
	every = 10 * time.Second
)

// Bound lets some lines into the log and counts the others. Safe for concurrent use.
type Bound struct {
	limiter *rate.Limiter
	skipped atomic.Int64 // lines since the last
}

// New returns a bound of 10 lines at once, and one more every 10 seconds.
func New() *Bound { return &Bound{limiter: rate.NewLimiter(rate.Every(every), burst)} }

// Warn writes a line at now, or counts it: the next line that is written says how
// many were left out before it.
func (b *Bound) Warn(now time.Time, log *slog.Logger, text string, args ...any) {
	if !b.limiter.AllowN(now, 1) {
		b.skipped.Add(1)
		return
	}
	if skipped := b.skipped.Swap(0); skipped > 0 {
		args = append(args, "lines_left_out_before", skipped)
	}
	log.Warn(text, args...)
}
