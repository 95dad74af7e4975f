package proxy

import (
	"net/http"
	"slices"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// Verdict is what would follow from one kind of failure of a first attempt.
type Verdict struct {
	Class   exchange.SendClass `json:"class"`
	Outcome string             `json:"outcome"`          // a word of exchange.Outcome
	Status  int                `json:"status,omitempty"` // with outcome "status"
	Sign    string             `json:"sign,omitempty"`   // what the answer carries: "Retry-After", the not-processed header
	Retry   bool               `json:"retry"`
	Why     string             `json:"why,omitempty"`           // why not: a word of the metric, "" if the failure is none that is retried
	Bounds  bool               `json:"if_replayable,omitempty"` // retried only while the body is kept
}

// Explain says what the retries of a request with this method and header would
// be, by the code that decides them: a row for each kind of failure, in the order
// of the classes, on the first of several servers, with time and budget left.
func Explain(o *config.Origin, over *config.RetryOverride, method string, header http.Header) []Verdict {
	p := newPolicy(o, over)
	base := facts{
		repeatability: p.repeatabilityOf(method, header.Get("Idempotency-Key") != ""),
		upgrade:       method == http.MethodConnect || header.Get("Upgrade") != "",
		replayable:    true, attempts: 1, untried: true, remaining: p.timeout,
	}
	body := true // it may have one
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete:
		body = header.Get("Content-Length") != ""
	}
	var rows []Verdict
	add := func(class exchange.SendClass, outcome exchange.Outcome, change func(*facts, *Verdict)) {
		f, row := base, Verdict{Class: class, Outcome: outcome.String()}
		f.class, f.outcome = class, outcome
		if change != nil {
			change(&f, &row)
		}
		v := p.decide(f)
		row.Retry, row.Why = v.retry, v.why
		row.Bounds = v.retry && body && class > exchange.NotSent
		rows = append(rows, row)
	}
	status := func(code int) func(*facts, *Verdict) {
		return func(f *facts, row *Verdict) { f.status, row.Status = code, code }
	}
	add(exchange.NotConnected, exchange.Connect, nil)
	add(exchange.NotSent, exchange.Connect, nil)
	add(exchange.PartlySent, exchange.Reset, nil)
	add(exchange.FullySent, exchange.Reset, nil)
	add(exchange.FullySent, exchange.Timeout, nil)
	add(exchange.FullySent, exchange.BadResponse, nil)
	statuses := slices.Clone(p.bad)
	slices.Sort(statuses)
	for _, code := range slices.Compact(statuses) {
		add(exchange.Answered, exchange.BadStatus, status(code))
	}
	add(exchange.Answered, exchange.BadStatus, func(f *facts, row *Verdict) {
		status(503)(f, row)
		f.asked, f.retryAfter, row.Sign = true, time.Second, "Retry-After"
	})
	if p.notProcessed != "" {
		add(exchange.Answered, exchange.BadStatus, func(f *facts, row *Verdict) {
			status(500)(f, row)
			f.notProcessed, row.Sign = true, p.notProcessed
		})
	}
	add(exchange.Forwarded, exchange.BadResponse, nil)
	return rows
}
