package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

const (
	retryUnreachable    = 15 * time.Second // first wait when the authority, or our disk, does not answer
	retryUnreachableMax = 15 * time.Minute
	retryRefused        = 5 * time.Minute // first wait when it said no: Let's Encrypt takes five such an hour and name, and a reload tries at once
	retryRefusedMax     = 6 * time.Hour
	retryLimited        = time.Hour // when it said: not so often
)

// errDisk says that an order has failed for want of a place to keep it.
var errDisk = errors.New("store the certificate")

// whyOf sorts the errors of an order for metrics and for the wait before the next:
// "refused", "rate_limited", "unreachable", "timeout" or "disk".
func whyOf(err error) string {
	var problem acme.Problem
	switch {
	case errors.Is(err, errDisk):
		return "disk"
	case errors.As(err, &problem) && problem.Type == acme.ProblemTypeRateLimited:
		return "rate_limited"
	case errors.As(err, &problem) && problem.Status < http.StatusInternalServerError:
		return "refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}

// backoff returns how long to wait after the nth failure in a row, n from 1, with
// up to a fifth more, so that many names do not come back at the same moment.
// first replaces the first wait of every kind unless it is 0.
func backoff(why string, n int, first time.Duration) time.Duration {
	wait, most := retryUnreachable, retryUnreachableMax
	switch why {
	case "refused":
		wait, most = retryRefused, retryRefusedMax
	case "rate_limited":
		wait, most = retryLimited, retryRefusedMax
	}
	if first > 0 {
		wait = first
	}
	for range n - 1 {
		if wait *= 2; wait >= most {
			break
		}
	}
	wait = min(wait, most)
	return wait + rand.N(wait/5+1)
}

// renewAfter is when leaf is due: when no more than share of its life is left.
func renewAfter(leaf *x509.Certificate, share float64) time.Time {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotAfter.Add(-time.Duration(float64(life) * share))
}
