package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/exchange"
)

// defaults is the retry configuration of the guide, section 3.3.
func defaults(change func(*config.Origin)) *config.Origin {
	second := config.Duration(time.Second)
	o := &config.Origin{
		Retry: config.Retry{
			Attempts: 3, On: []string{"connect", "reset", "bad_response", "timeout", "status"}, Statuses: []int{502, 503, 504},
			IdempotencyKey: "ignore", Timeout: 60 * second, MinTry: second / 4,
			Backoff:      config.Backoff{Base: second / 40, Max: second / 4},
			Budget:       config.Budget{Percent: 20, Min: 3, Rate: 10, Burst: 20},
			Replay:       config.RetryReplay{Memory: 64 << 10, RouteMax: 16 << 20},
			HoldResponse: 64 << 10, NotProcessedHeader: "Evergate-Not-Processed",
		},
		Health: config.Health{FailStatuses: []int{502, 503, 504}},
	}
	if change != nil {
		change(o)
	}
	return o
}

func policyWith(change func(*config.Retry)) *policy {
	return newPolicy(defaults(func(o *config.Origin) {
		if change != nil {
			change(&o.Retry)
		}
	}), nil)
}

// guideTable is table 3.1 of the guide, cell by cell. "if replayable" is
// "replayable" here, an opt-in is named by its word, and "statuses" asks for a
// status of the list as well.
var guideTable = []struct {
	class                          exchange.SendClass
	safe, putDelete, keyed, plain_ string
}{
	{exchange.NotConnected, "retry", "retry", "retry", "retry"},
	{exchange.NotSent, "retry", "retry", "retry", "retry"},
	{exchange.PartlySent, "replayable", "replayable", "replayable", "partial"},
	{exchange.FullySent, "replayable", "replayable", "replayable", "no_response"},
	{exchange.Answered, "statuses", "statuses", "statuses", "503 or header"},
	{exchange.Forwarded, "never", "never", "never", "never"},
}

// groups are the columns of the table with methods that stand for them.
var groups = []struct {
	name    string
	methods []string
	key     bool
}{
	{"safe", []string{"GET", "HEAD", "OPTIONS"}, false},
	{"put or delete", []string{"PUT", "DELETE"}, false},
	{"with key", []string{"POST", "PATCH", "PROPFIND", "get"}, true},
	{"plain", []string{"POST", "PATCH", "TRACE", "BREW", "get", "put"}, false},
}

func TestDecide_IsTheGuidesTable(t *testing.T) {
	optIns := [][]string{nil, {"partial"}, {"no_response"}, {"status"}, {"partial", "no_response", "status"}}
	statuses := []int{500, 502, 503, 504, 429}
	checked := 0
	for _, row := range guideTable {
		for i, group := range groups {
			cell := []string{row.safe, row.putDelete, row.keyed, row.plain_}[i]
			for _, method := range group.methods {
				for _, optIn := range optIns {
					for _, replayable := range []bool{true, false} {
						for _, outcome := range outcomesOf(row.class) {
							for _, status := range statuses {
								for bits := range 4 {
									retryAfter, header := bits&1 != 0, bits&2 != 0
									if outcome != exchange.BadStatus && (status != 500 || bits != 0) {
										continue // no response, so none of this
									}
									if row.class <= exchange.NotSent && !replayable {
										continue // nothing was used, so everything is there
									}
									p := policyWith(func(r *config.Retry) { r.NonIdempotent, r.IdempotencyKey = optIn, "accept" })
									f := facts{
										class: row.class, outcome: outcome, repeatability: p.repeatabilityOf(method, group.key),
										replayable: replayable, attempts: 1, untried: true, remaining: time.Minute,
									}
									if outcome == exchange.BadStatus {
										f.status, f.asked, f.notProcessed = status, retryAfter, header
									}
									want := expected(cell, optIn, f)
									if got := p.decide(f); got.retry != want {
										t.Errorf("class %d, %s %s, opt-ins %v, %s, status %d, Retry-After %v, not processed %v, replayable %v: retry %v (%+v), the guide says %v",
											row.class, group.name, method, optIn, outcome, f.status, retryAfter, header, replayable, got.retry, got, want)
									}
									checked++
								}
							}
						}
					}
				}
			}
		}
	}
	if checked < 3000 {
		t.Errorf("only %d combinations were looked at", checked)
	}
}

// outcomesOf are the ways in which an attempt of a class can fail.
func outcomesOf(c exchange.SendClass) []exchange.Outcome {
	switch c {
	case exchange.NotConnected, exchange.NotSent:
		return []exchange.Outcome{exchange.Connect, exchange.Timeout, exchange.Reset}
	case exchange.PartlySent, exchange.FullySent:
		return []exchange.Outcome{exchange.Reset, exchange.Timeout, exchange.BadResponse}
	}
	return []exchange.Outcome{exchange.BadStatus}
}

// expected reads a cell of the table.
func expected(cell string, optIn []string, f facts) bool {
	listed := f.status == 502 || f.status == 503 || f.status == 504
	declined := f.status >= 500 && f.notProcessed // says that it did nothing with the request
	switch cell {
	case "retry":
		return true
	case "replayable":
		return f.replayable
	case "partial", "no_response":
		return f.replayable && slices.Contains(optIn, cell)
	case "statuses":
		return f.replayable && (listed || declined)
	case "503 or header":
		return f.replayable && ((f.status == 503 && f.asked) || declined || (listed && slices.Contains(optIn, "status")))
	}
	return false
}

// failedGet is a failure that is retried if nothing else speaks against it.
var failedGet = facts{
	class: exchange.FullySent, outcome: exchange.Reset, repeatability: idempotent, replayable: true,
	attempts: 1, untried: true, backoff: 10 * time.Millisecond, remaining: time.Minute,
}

func with(f facts, change func(*facts)) facts {
	change(&f)
	return f
}

func TestDecide(t *testing.T) {
	answered := with(failedGet, func(f *facts) { f.class, f.outcome, f.status = exchange.Answered, exchange.BadStatus, 503 })
	tests := []struct {
		name   string
		facts  facts
		config func(*config.Retry)
		want   verdict
	}{
		{"an untried server is asked at once", failedGet, nil, verdict{retry: true, reason: "reset"}},
		{"the same server is asked after the back-off", with(failedGet, func(f *facts) { f.untried = false }), nil,
			verdict{retry: true, reason: "reset", wait: 10 * time.Millisecond}},
		{"an untried server is asked at once whatever another one's Retry-After says",
			with(answered, func(f *facts) { f.retryAfter, f.asked = time.Hour, true }), nil, verdict{retry: true, reason: "status"}},
		{"the same server is given the time that it asked for",
			with(answered, func(f *facts) { f.retryAfter, f.asked, f.untried = 7*time.Second, true, false }), nil,
			verdict{retry: true, reason: "status", wait: 7 * time.Second}},
		{"a server that asks for less than the back-off gets the back-off",
			with(answered, func(f *facts) { f.asked, f.untried = true, false }), nil,
			verdict{retry: true, reason: "status", wait: 10 * time.Millisecond}},
		{"a Retry-After that does not fit in the remaining time means no retry",
			with(answered, func(f *facts) { f.retryAfter, f.asked, f.untried = 59800*time.Millisecond, true, false }), nil,
			verdict{reason: "status", why: whyDeadline, wait: 59800 * time.Millisecond}},
		{"the last attempt is the last", with(failedGet, func(f *facts) { f.attempts = 3 }), nil, verdict{reason: "reset", why: whyAttempts}},
		{"one attempt in all means no retry", failedGet, func(r *config.Retry) { r.Attempts = 1 }, verdict{reason: "reset", why: whyAttempts}},
		{"less than min_try left means no retry", with(failedGet, func(f *facts) { f.remaining = 249 * time.Millisecond }), nil,
			verdict{reason: "reset", why: whyDeadline}},
		{"min_try left is enough", with(failedGet, func(f *facts) { f.remaining = 250 * time.Millisecond }), nil,
			verdict{retry: true, reason: "reset"}},
		{"two servers that died of it are enough", with(failedGet, func(f *facts) { f.poisoned = true }), nil,
			verdict{reason: "reset", why: whyPoison}},
		{"a body that was not kept cannot be sent again", with(failedGet, func(f *facts) { f.replayable = false }), nil,
			verdict{reason: "reset", why: whyNotReplayable}},
		{"an upgrade is retried when the server could not be reached",
			with(failedGet, func(f *facts) { f.upgrade, f.class, f.outcome = true, exchange.NotConnected, exchange.Connect }), nil,
			verdict{retry: true, reason: "connect"}},
		{"an upgrade is retried when nothing was written", with(failedGet, func(f *facts) { f.upgrade, f.class = true, exchange.NotSent }), nil,
			verdict{retry: true, reason: "reset"}},
		{"an upgrade is not retried when something was written", with(failedGet, func(f *facts) { f.upgrade, f.class = true, exchange.PartlySent }), nil,
			verdict{reason: "reset", why: whyMethod}},
		{"an upgrade is not retried after a status", with(answered, func(f *facts) { f.upgrade = true }), nil,
			verdict{reason: "status", why: whyMethod}},
		{"no opt-in makes an upgrade repeatable",
			with(failedGet, func(f *facts) { f.upgrade, f.repeatability = true, keyed }),
			func(r *config.Retry) {
				r.Idempotent, r.NonIdempotent = true, []string{"partial", "no_response", "status"}
			},
			verdict{reason: "reset", why: whyMethod}},
		{"a visitor who left is not retried", with(failedGet, func(f *facts) { f.outcome = exchange.Canceled }), nil, verdict{}},
		{"what is not in retry.on is not a failure to be retried", failedGet, func(r *config.Retry) { r.On = []string{"connect"} }, verdict{}},
		{"a status that is not listed is an answer", with(answered, func(f *facts) { f.status = 500 }), nil, verdict{}},
		{"a listed status is retried", with(answered, func(f *facts) { f.status = 500 }),
			func(r *config.Retry) { r.Statuses = []int{500} }, verdict{retry: true, reason: "status"}},
		{"the header says that nothing was done, so any 5xx may be repeated",
			with(answered, func(f *facts) { f.status, f.notProcessed, f.repeatability = 500, true, plain }), nil,
			verdict{retry: true, reason: "status"}},
		{"without status in retry.on the header changes nothing",
			with(answered, func(f *facts) { f.notProcessed, f.repeatability = true, plain }),
			func(r *config.Retry) { r.On = []string{"reset"} }, verdict{}},
		{"a plain POST that got 502 with Retry-After may have been applied",
			with(answered, func(f *facts) { f.status, f.asked, f.repeatability = 502, true, plain }), nil,
			verdict{reason: "status", why: whyMethod}},
		{"nothing follows the first byte to the visitor", with(failedGet, func(f *facts) { f.class = exchange.Forwarded }), nil, verdict{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := policyWith(tt.config).decide(tt.facts); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestDecide_NamesTheMethodBeforeWhatElseSpeaksAgainstARetry(t *testing.T) {
	f := with(failedGet, func(f *facts) {
		f.repeatability, f.replayable, f.attempts, f.remaining = plain, false, 3, 0
	})
	if v := policyWith(nil).decide(f); v.why != whyMethod {
		t.Errorf("why %q, want %q: it would not have been retried with all the time in the world", v.why, whyMethod)
	}
}

func TestPolicy_RepeatabilityOf(t *testing.T) {
	tests := []struct {
		name   string
		config func(*config.Retry)
		method string
		key    bool
		want   repeatability
	}{
		{"GET is idempotent", nil, "GET", false, idempotent},
		{"methods are case-sensitive", nil, "get", false, plain},
		{"TRACE passes no proxy that would know what it means", nil, "TRACE", false, plain},
		{"a key means nothing until it is accepted", nil, "POST", true, plain},
		{"an accepted key makes a POST repeatable", func(r *config.Retry) { r.IdempotencyKey = "accept" }, "POST", true, keyed},
		{"without the key, accepting it changes nothing", func(r *config.Retry) { r.IdempotencyKey = "accept" }, "POST", false, plain},
		{"an idempotent route needs no key", func(r *config.Retry) { r.Idempotent = true }, "PATCH", false, keyed},
		{"generating keys does not make anything repeatable", func(r *config.Retry) { r.GenerateKey = true }, "POST", false, plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := policyWith(tt.config).repeatabilityOf(tt.method, tt.key); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestPolicy_OutcomeOf(t *testing.T) {
	p := newPolicy(defaults(func(o *config.Origin) { o.Retry.Statuses, o.Health.FailStatuses = []int{503}, []int{500} }), nil)
	for status := 200; status < 600; status++ {
		for _, notProcessed := range []bool{false, true} {
			want := exchange.Success
			if status == 500 || status == 503 || (notProcessed && status >= 500) {
				want = exchange.BadStatus
			}
			if got := p.outcomeOf(status, notProcessed); got != want {
				t.Errorf("status %d, not processed %v: %s, want %s", status, notProcessed, got, want)
			}
		}
	}
}

func TestPolicy_ARoutesOwnSettingsWin(t *testing.T) {
	attempts, header := 5, "x-not-done"
	p := newPolicy(defaults(nil), &config.RetryOverride{Attempts: &attempts, NotProcessedHeader: &header})
	if p.attempts.Load() != 5 || p.notProcessed != "X-Not-Done" || p.timeout != time.Minute {
		t.Errorf("attempts %d, header %q, timeout %s; want 5, the canonical name, and the origin's minute", p.attempts.Load(), p.notProcessed, p.timeout)
	}
}

func TestPolicy_Backoff(t *testing.T) {
	p := policyWith(nil)
	bounds := []time.Duration{25, 50, 100, 200, 250, 250, 250}
	for i, bound := range bounds {
		bound *= time.Millisecond
		if got := p.backoff(i+1, 0); got != 0 {
			t.Errorf("wait %d at random 0: %s, want none: the jitter is full", i+1, got)
		}
		if got := p.backoff(i+1, 0.5); got != bound/2 {
			t.Errorf("wait %d at random 0.5: %s, want half of %s", i+1, got, bound)
		}
		if got := p.backoff(i+1, 0.999999); got >= bound || got < bound*9/10 {
			t.Errorf("wait %d at random near 1: %s, want just below %s", i+1, got, bound)
		}
	}
	if got := policyWith(func(r *config.Retry) { r.Backoff = config.Backoff{} }).backoff(1000, 0.9); got != 0 {
		t.Errorf("without a back-off the wait is %s", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)
	year := 366 * 24 * time.Hour
	tests := []struct {
		name, value string
		want        time.Duration
		asked       bool
	}{
		{"nothing", "", 0, false},
		{"seconds", "120", 120 * time.Second, true},
		{"no seconds at all", "0", 0, true},
		{"leading zeros", "0007", 7 * time.Second, true},
		{"a date to come", now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second, true},
		{"a date that is over", now.Add(-time.Hour).Format(http.TimeFormat), 0, true},
		{"a date in the old form", now.Add(time.Minute).Format(time.ANSIC), time.Minute, true},
		{"a negative number", "-1", 0, false},
		{"a sign", "+5", 0, false},
		{"a fraction", "1.5", 0, false},
		{"a unit", "5s", 0, false},
		{"words", "soon", 0, false},
		{"hexadecimal", "0x10", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, asked := retryAfter(tt.value, now)
			if got != tt.want || asked != tt.asked {
				t.Errorf("%q: %s, %v; want %s, %v", tt.value, got, asked, tt.want, tt.asked)
			}
		})
	}
	for _, huge := range []string{"2147483648", "99999999999", "18446744073709551616", strings.Repeat("9", 1000)} {
		if got, asked := retryAfter(huge, now); !asked || got < year {
			t.Errorf("%.20s seconds: %s, %v; want a very long time, not a server that asked for nothing", huge, got, asked)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "120", "-1", "99999999999999999999999", "Wed, 25 Nov 2026 01:00:00 GMT", "Wednesday, 25-Nov-26 01:00:00 GMT"} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		d, asked := retryAfter(value, now)
		if d < 0 || (d > 0 && !asked) {
			t.Errorf("%q: %s, %v", value, d, asked)
		}
		if v := policyWith(nil).decide(facts{
			class: exchange.Answered, outcome: exchange.BadStatus, status: 503, repeatability: idempotent, replayable: true,
			attempts: 1, retryAfter: d, asked: asked, remaining: time.Minute,
		}); v.retry && v.wait > time.Minute {
			t.Errorf("%q: waits %s", value, v.wait)
		}
	})
}

func TestAttemptNumber(t *testing.T) {
	for n := range 30 {
		if got := attemptNumber(n); got != fmt.Sprint(n) {
			t.Errorf("attempt %d is called %q", n, got)
		}
	}
}
