package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/exchange"
)

// Fail writes the answer for a request that no server answered. reason is one of
// the words below; retryAfter is for Retry-After, 0 for none. It writes exactly
// one whole response and may write it as it likes.
type Fail func(w http.ResponseWriter, r *http.Request, status int, reason string, retryAfter time.Duration)

// The reasons that Fail is called with, besides the words of exchange.Outcome
// ("connect", "reset", "bad_response": 502, "timeout": 504).
const (
	ReasonQueueFull     = "queue_full"     // 503
	ReasonQueueDeadline = "queue_deadline" // 503
	ReasonNoServer      = "no_server"      // 503, after attempts that failed
	ReasonBodyTooLarge  = "body_too_large" // 413
	ReasonBodyTimeout   = "body_timeout"   // 408
	ReasonBadBody       = "bad_body"       // 400
	ReasonBadRequest    = "bad_request"    // 400: it cannot be said to a server
)

// retryLater is what visitors are told when nothing is known about when a server
// will be free.
const retryLater = 5 * time.Second

// fault is why a request cannot be served.
type fault struct {
	status     int // 499: the visitor left, nothing is written
	reason     string
	retryAfter time.Duration
}

var faultGone = fault{status: statusGone}

// statusGone is what is recorded when the visitor left before the answer.
const statusGone = 499

// bodyFault is the fault of a visitor whose body could not be read for err.
func bodyFault(ctx context.Context, err error) fault {
	var tooLarge *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &tooLarge):
		return fault{status: http.StatusRequestEntityTooLarge, reason: ReasonBodyTooLarge}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fault{status: http.StatusRequestTimeout, reason: ReasonBodyTimeout}
	case ctx.Err() != nil, errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return faultGone
	}
	return fault{status: http.StatusBadRequest, reason: ReasonBadBody}
}

// attemptFault is what a visitor is told about an attempt that brought no response.
func attemptFault(o exchange.Outcome) fault {
	if o == exchange.Timeout {
		return fault{status: http.StatusGatewayTimeout, reason: o.String()}
	}
	return fault{status: http.StatusBadGateway, reason: o.String()}
}

// queueFault is what a visitor is told whom the origin did not let in. tried says
// that attempts have failed before.
func queueFault(ctx context.Context, err error, wait origin.Wait, tried bool) fault {
	f := fault{status: http.StatusServiceUnavailable, retryAfter: max(wait.Estimate, retryLater)}
	switch {
	case ctx.Err() != nil:
		return faultGone
	case tried:
		f.reason = ReasonNoServer
	case errors.Is(err, origin.ErrQueueFull):
		f.reason = ReasonQueueFull
	default:
		f.reason = ReasonQueueDeadline
	}
	return f
}
