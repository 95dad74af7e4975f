package server

import (
	"fmt"
	"strconv"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/exchange"
)

// RetryMet is the retry policy of the route, for this method and header.
type RetryMet struct {
	Attempts int       `json:"attempts"`
	On       []string  `json:"on"`
	Statuses []int     `json:"statuses"`
	Timeout  string    `json:"timeout"`
	Try      string    `json:"try_timeout"`
	MinTry   string    `json:"min_try"`
	Backoff  string    `json:"backoff"`
	Budget   string    `json:"budget"`
	Replay   string    `json:"replay"`
	HoldBody string    `json:"hold_body"`
	DryRun   bool      `json:"dry_run"`
	Key      string    `json:"idempotency_key"`
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict is what would follow from one kind of failure.
type Verdict struct {
	proxy.Verdict
	Failure string `json:"failure"` // the kind, in plain words
	Then    string `json:"then"`    // what follows, and why, likewise
}

func retryMet(r config.Retry, verdicts []proxy.Verdict) *RetryMet {
	met := &RetryMet{
		Attempts: r.Attempts, On: r.On, Statuses: r.Statuses, Timeout: r.Timeout.String(), Try: r.TryTimeout.String(), MinTry: r.MinTry.String(),
		Backoff: r.Backoff.Base.String() + " to " + r.Backoff.Max.String() + ", at random, before the same server is asked again",
		Budget: fmt.Sprintf("%d at once or %d %% of the requests under way, %s/s and %d in the bucket",
			r.Budget.Min, r.Budget.Percent, strconv.FormatFloat(r.Budget.Rate, 'g', -1, 64), r.Budget.Burst),
		Replay:   fmt.Sprintf("%s of a body in memory, %s with the disk", r.Replay.Memory, r.Replay.RouteMax),
		HoldBody: r.HoldBody.String(), DryRun: r.DryRun, Key: r.IdempotencyKey,
	}
	for _, v := range verdicts {
		met.Verdicts = append(met.Verdicts, Verdict{Verdict: v, Failure: failureOf(v), Then: thenOf(v)})
	}
	if r.TryTimeout == 0 {
		met.Try = "what is left"
	}
	if r.GenerateKey {
		met.Key += "; one is added where it is missing"
	}
	return met
}

// failureOf is what happened, in plain words.
func failureOf(v proxy.Verdict) string {
	switch {
	case v.Class == exchange.NotConnected:
		return "no connection"
	case v.Class == exchange.NotSent:
		return "connected, nothing of the request was sent"
	case v.Class == exchange.PartlySent:
		return "broke while the request was being sent"
	case v.Class == exchange.Forwarded:
		return "broke after the answer had begun to reach the visitor"
	case v.Class == exchange.Answered && v.Sign != "":
		return fmt.Sprintf("answered %d with %s", v.Status, v.Sign)
	case v.Class == exchange.Answered:
		return fmt.Sprintf("answered %d", v.Status)
	case v.Outcome == exchange.Timeout.String():
		return "sent whole, no answer in time"
	case v.Outcome == exchange.BadResponse.String():
		return "sent whole, the answer is not HTTP"
	}
	return "sent whole, the connection broke before an answer"
}

// thenOf is what follows, and why, in plain words.
func thenOf(v proxy.Verdict) string {
	switch {
	case v.Retry && v.Bounds:
		return "retried, while the body is kept"
	case v.Retry:
		return "retried"
	case v.Class == exchange.Forwarded:
		return "never retried: the visitor's connection is aborted"
	}
	switch v.Why {
	case "":
		return "not retried: the settings do not name it"
	case "method":
		return "not retried: it may have been applied, and twice would harm"
	case "attempts":
		return "not retried: there is one attempt only"
	case "deadline":
		return "not retried: no time is left"
	}
	return "not retried: " + v.Why
}
