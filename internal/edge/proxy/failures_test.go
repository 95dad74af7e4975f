package proxy

import (
	"io"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
	"github.com/evergate/evergate/internal/exchange"
)

// faults are the ways in which a server fails a request.
var faults = []struct {
	name     string
	server   func(tb testing.TB) string
	words    string // of the attempt
	reason   string // of the retry
	plain    bool   // retried for a plain POST
	optIn    string // by which a plain POST is retried all the same
	fatal    int    // what the visitor gets if all servers are like that
	received bool   // the server may have acted on the request
}{
	{"refuses connections", refused, "0 connect", "connect", true, "", 502, false},
	{"resets before it has read the request", func(tb testing.TB) string {
		return upstreamtest.Serve(tb, func(c *upstreamtest.Conn) {
			_, _ = c.Read(make([]byte, 1))
			c.Reset()
		}).Address
	}, "3 reset", "reset", false, "no_response", 502, false},
	{"resets after the request", acting(resets), "3 reset", "reset", false, "no_response", 502, true},
	{"closes after the request", acting(says("")), "3 reset", "reset", false, "no_response", 502, true},
	{"answers rubbish", acting(says("SSH-2.0-Server\r\n\r\n")), "3 bad_response", "bad_response", false, "no_response", 502, true},
	{"breaks off in the head", acting(says("HTTP/1.1 200 OK\r\nContent-Le")), "3 bad_response", "bad_response", false, "no_response", 502, true},
	{"says 103 and no more", acting(says("HTTP/1.1 103 Early Hints\r\n\r\n")), "3 reset", "reset", false, "no_response", 502, true},
	{"is too slow", acting(hangs), "3 timeout", "timeout", false, "no_response", 504, true},
	{"answers 502", acting(answers(502, "bad")), "4 status 502", "status", false, "status", 502, true},
	{"answers 503", acting(answers(503, "bad")), "4 status 503", "status", false, "status", 503, true},
	{"answers 504", acting(answers(504, "bad")), "4 status 504", "status", false, "status", 504, true},
	{"declines with 503 and Retry-After", acting(answers(503, "bad", "Retry-After: 0")), "4 status 503", "status", true, "", 503, true},
	{"says with 500 that it did nothing", acting(answers(500, "bad", "Evergate-Not-Processed: 1")), "4 status 500", "status", true, "", 500, true},
}

func acting(a act) func(tb testing.TB) string {
	return func(tb testing.TB) string { return serve(tb, a).Address }
}

func TestProxy_AGetIsAnsweredByTheOtherServerWhenTheFirst(t *testing.T) {
	for _, f := range faults {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"} {
			t.Run(f.name+" "+method, func(t *testing.T) {
				good := serve(t, ok("good"))
				d := open(t, setup{servers: []string{f.server(t), good.Address}, origin: "retry: {try_timeout: 150ms}"})
				var body io.Reader
				if method == "PUT" {
					body = strings.NewReader("content")
				}
				r, x := d.visit(d.request(method, body))
				if r.StatusCode != 200 || (method != "HEAD" && r.content != "good") || r.err != nil {
					t.Fatalf("%d %q %v, want the good server's answer", r.StatusCode, r.content, r.err)
				}
				if words, want := x.words(), f.words+" retried, 5 success 200"; words != want {
					t.Errorf("attempts %q, want %q", words, want)
				}
				if x.RetryDenied != "" || x.Status != 200 || x.Abort != "" {
					t.Errorf("denied %q, status %d, abort %q", x.RetryDenied, x.Status, x.Abort)
				}
				got := good.requests()
				if len(got) != 1 || got[0].Header.Get("Evergate-Attempt") != "2" || got[0].RequestURI != "/path?q=1" {
					t.Errorf("the good server got %v", got)
				}
				if method == "PUT" && got[0].Content != "content" {
					t.Errorf("body %q", got[0].Content)
				}
				if n := d.metric("evergate_retries_total", "reason", f.reason); n != 1 {
					t.Errorf("%v retries for %s, want 1", n, f.reason)
				}
			})
		}
	}
}

func TestProxy_APlainPostIsRetriedOnlyWhenNothingCanHaveBeenDone(t *testing.T) {
	for _, f := range faults {
		t.Run("the first server "+f.name, func(t *testing.T) {
			good := serve(t, ok("good"))
			d := open(t, setup{servers: []string{f.server(t), good.Address}, origin: "retry: {try_timeout: 150ms}"})
			r, x := d.post("a letter")
			retried := len(good.requests()) > 0
			if retried != f.plain {
				t.Fatalf("retried: %v, want %v (%s)", retried, f.plain, x.words())
			}
			if retried {
				if r.content != "good" || good.requests()[0].Content != "a letter" {
					t.Errorf("%q; the good server got %q", r.content, good.requests()[0].Content)
				}
				return
			}
			if r.StatusCode != f.fatal || x.RetryDenied != whyMethod || d.metric("evergate_retry_denied_total", "why", "method") != 1 {
				t.Errorf("status %d, denied %q; want %d, method", r.StatusCode, x.RetryDenied, f.fatal)
			}
			if f.words[0] == '4' && r.content != "bad" {
				t.Errorf("body %q, want the server's", r.content)
			}
			if f.words[0] != '4' && r.Header.Get("Evergate-Reason") != f.reason {
				t.Errorf("reason %q, want %q", r.Header.Get("Evergate-Reason"), f.reason)
			}
		})
	}
}

func TestProxy_APostIsRetriedWhenTheConfigurationAllowsIt(t *testing.T) {
	for _, f := range faults {
		ways := []struct{ name, origin string }{{"idempotent", "idempotent: true"}, {"with an accepted key", "idempotency_key: accept"}}
		if f.optIn != "" {
			ways = append(ways, struct{ name, origin string }{"by opt-in", "non_idempotent: [" + f.optIn + ", partial]"})
		}
		for _, way := range ways {
			t.Run(f.name+" "+way.name, func(t *testing.T) {
				good := serve(t, ok("good"))
				d := open(t, setup{servers: []string{f.server(t), good.Address}, origin: "retry: {try_timeout: 150ms, " + way.origin + "}"})
				r, x := d.post("a letter", "Idempotency-Key", "k")
				if r.StatusCode != 200 || len(good.requests()) != 1 || good.requests()[0].Content != "a letter" {
					t.Errorf("status %d, %s", r.StatusCode, x.words())
				}
				if got := good.requests(); len(got) == 1 && got[0].Header.Get("Idempotency-Key") != "k" {
					t.Errorf("key %q, want the visitor's", got[0].Header.Get("Idempotency-Key"))
				}
			})
		}
	}
}

func TestProxy_AServerThatClosesEveryConnectionAtOnce(t *testing.T) {
	bad := upstreamtest.Serve(t, func(c *upstreamtest.Conn) { c.Reset() })
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{bad.Address, good.Address}, origin: "health: {consecutive_failures: 1000}, retry: {budget: {burst: 1000}}"})
	for range 20 {
		if r, x := d.get(); r.content != "good" {
			t.Errorf("GET: %d, %s", r.StatusCode, x.words())
		}
		// What of a reset is noticed first is up to the kernel: the class says it.
		r, x := d.post("a letter")
		if class := x.Attempts[0].Class; (r.content == "good") != (class <= exchange.NotSent) {
			t.Errorf("POST: %d, %s", r.StatusCode, x.words())
		}
	}
}

func TestProxy_AKeyThatIsNotAcceptedChangesNothing(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{serve(t, resets).Address, good.Address}})
	if r, x := d.post("x", "Idempotency-Key", "k"); r.StatusCode != 502 || x.RetryDenied != whyMethod {
		t.Errorf("status %d, denied %q", r.StatusCode, x.RetryDenied)
	}
	if r, x := d.post("x", "Idempotency-Key", ""); r.StatusCode != 502 {
		t.Errorf("an empty key: status %d, %s", r.StatusCode, x.words())
	}
}

func TestProxy_AGeneratedKeyIsTheSameOnAllAttemptsAndAnotherPerRequest(t *testing.T) {
	declining, good := serve(t, answers(503, "", "Retry-After: 0")), serve(t, ok("good"))
	d := open(t, setup{servers: []string{declining.Address, good.Address}, origin: "retry: {generate_key: true}"})
	seen := make(map[string]bool)
	for range 2 {
		d.post("x")
	}
	for i := range 2 {
		a, b := declining.requests()[i].Header["Idempotency-Key"], good.requests()[i].Header["Idempotency-Key"]
		if len(a) != 1 || len(b) != 1 || a[0] != b[0] || len(a[0]) < 16 {
			t.Errorf("keys %q and %q, want the same one", a, b)
		}
		seen[a[0]] = true
	}
	if len(seen) != 2 {
		t.Errorf("two requests got the keys %v", seen)
	}
	d.post("x", "Idempotency-Key", "mine")
	if got := good.requests()[2].Header["Idempotency-Key"]; len(got) != 1 || got[0] != "mine" {
		t.Errorf("key %q, want the visitor's own", got)
	}
}

func TestProxy_AGeneratedKeyDoesNotMakeAPostRepeatable(t *testing.T) {
	good := serve(t, ok("good"))
	d := open(t, setup{servers: []string{serve(t, resets).Address, good.Address}, origin: "retry: {generate_key: true, idempotency_key: accept}"})
	if r, x := d.post("x"); r.StatusCode != 502 || len(good.requests()) > 0 {
		t.Errorf("status %d, %s", r.StatusCode, x.words())
	}
}

func TestProxy_AttemptsAreNumberedAndBounded(t *testing.T) {
	bad := serve(t, resets)
	d := open(t, setup{servers: []string{bad.Address}, origin: "retry: {attempts: 4, backoff: {base: 1ms, max: 1ms}}, health: {consecutive_failures: 100}"})
	r, x := d.get("Evergate-Attempt", "77")
	if r.StatusCode != 502 || r.Header.Get("Evergate-Reason") != "reset" || x.RetryDenied != whyAttempts || len(x.Attempts) != 4 {
		t.Errorf("status %d, denied %q, %s", r.StatusCode, x.RetryDenied, x.words())
	}
	var numbers []string
	for _, q := range bad.requests() {
		numbers = append(numbers, q.Header["Evergate-Attempt"]...)
	}
	if got := strings.Join(numbers, " "); got != "1 2 3 4" {
		t.Errorf("attempts are numbered %s, want 1 2 3 4", got)
	}
	for i, a := range x.Attempts {
		if a.Retried != (i < 3) || a.Error == "" || a.Server != bad.Address || a.Duration <= 0 {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}

func TestProxy_ARetryGoesToAServerThatHasNotSeenTheRequest(t *testing.T) {
	servers := []*backend{serve(t, answers(503, "")), serve(t, answers(503, "")), serve(t, answers(503, ""))}
	d := open(t, setup{equal: true, servers: []string{servers[0].Address, servers[1].Address, servers[2].Address},
		origin: "health: {fail_statuses: []}"})
	for range 10 {
		d.get()
	}
	for i, s := range servers {
		if n := len(s.requests()); n != 10 {
			t.Errorf("server %d got %d of 10 requests, want each once", i, n)
		}
	}
}

func TestProxy_WhatIsNotAFailureIsAnAnswer(t *testing.T) {
	for _, status := range []int{200, 201, 301, 400, 401, 403, 404, 409, 429, 500, 501, 505} {
		bad := serve(t, answers(status, "as it is", "Retry-After: 0"))
		d := open(t, setup{servers: []string{bad.Address, serve(t, ok("other")).Address}})
		r, x := d.get()
		if r.StatusCode != status || r.content != "as it is" || len(x.Attempts) != 1 || x.RetryDenied != "" {
			t.Errorf("%d: got %d %q after %s, denied %q", status, r.StatusCode, r.content, x.words(), x.RetryDenied)
		}
		d.close()
	}
}
