package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/evergate/evergate/internal/edge/proxy/dial"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
	"github.com/evergate/evergate/internal/exchange"
)

// behaviours are what a server may do with an attempt; the request itself says,
// in the field Plan, what each of its attempts meets.
var behaviours = []string{"refuse", "reset", "rubbish", "cut head", "cut small", "cut large", "502", "503", "declines", "not processed", "500", "200", "large", "chunked"}

// planned is a transport that refuses the attempts that are planned to be refused.
type planned struct{ upstream.Transport }

func (p planned) RoundTrip(ctx context.Context, req *upstream.Request) (*upstream.Response, error) {
	if plan(req.Header.Get("Plan"), req.Extra[0].Value) == "refuse" {
		return nil, &upstream.Error{Class: exchange.NotConnected, Outcome: exchange.Connect, Op: "dial", Err: errors.New("planned")}
	}
	return p.Transport.RoundTrip(ctx, req)
}

func plan(list, attempt string) string {
	all := strings.Split(list, ",")
	n, err := strconv.Atoi(attempt)
	if err != nil || n < 1 || n > len(all) {
		return "more attempts than allowed"
	}
	return all[n-1]
}

// ledger is what the servers received, by request.
type ledger struct {
	mu  sync.Mutex
	got map[string][]string // the behaviours that met a whole body
	bad []string
}

// planServer does what the requests' plans say.
func planServer(tb testing.TB, name string, l *ledger) string {
	return upstreamtest.Serve(tb, func(c *upstreamtest.Conn) {
		for {
			r := c.Request()
			if r == nil {
				return
			}
			id, what := r.Header.Get("Id"), plan(r.Header.Get("Plan"), r.Header.Get("Evergate-Attempt"))
			l.mu.Lock()
			l.got[id] = append(l.got[id], what)
			if sumOf([]byte(r.Content)) != r.Header.Get("Sum") {
				l.bad = append(l.bad, fmt.Sprintf("%s: body of %d bytes", id, len(r.Content)))
			}
			l.mu.Unlock()
			mark := name + r.Header.Get("Evergate-Attempt")
			body := strings.Repeat(mark+"\n", 100)
			if what == "large" || what == "cut large" {
				body = strings.Repeat(body, 200)
			}
			head := func(status int, fields string) string {
				return fmt.Sprintf("HTTP/1.1 %d Status\r\nMark: %s\r\nId: "+id+"\r\nContent-Length: %d\r\n%s\r\n", status, mark, len(body), fields)
			}
			switch what {
			case "reset":
				c.Reset()
				return
			case "rubbish":
				c.Say("nonsense\r\n\r\n")
				return
			case "cut head":
				c.Say("HTTP/1.1 200 OK\r\nMark: x")
				return
			case "cut small", "cut large":
				c.Say(head(200, ""), body[:len(body)/2])
				return
			case "502", "503", "500":
				status, _ := strconv.Atoi(what)
				c.Say(head(status, ""), body)
			case "declines":
				c.Say(head(503, "Retry-After: 0\r\n"), body)
			case "not processed":
				c.Say(head(500, "Evergate-Not-Processed: 1\r\n"), body)
			case "chunked":
				c.Say(fmt.Sprintf("HTTP/1.1 200 OK\r\nMark: %s\r\nId: "+id+"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", mark, len(body), body))
			default:
				c.Say(head(200, ""), body)
			}
		}
	}).Address
}

// planTransport is the factory of planned transports.
func planTransport(s origin.TransportSpec) (upstream.Transport, error) {
	tr, err := dial.Transport(s)
	return planned{tr}, err
}

func TestProxy_WhateverServersDo(t *testing.T) {
	l := &ledger{got: make(map[string][]string)}
	list := []string{planServer(t, "a", l), planServer(t, "b", l), planServer(t, "c", l)}
	const common = "health: {consecutive_failures: 1000000}, retry: {backoff: {base: 1ms, max: 1ms}, budget: {min: 1000, burst: 1000000}"
	extras := []string{"", ", hold_body: 64KiB", ", idempotency_key: accept", ", non_idempotent: [partial, no_response, status]", ", attempts: 1", ", replay: {memory: 0}", ", hold_response: 1KiB, attempts: 2"}
	doors := make(map[string]*door)
	for _, extra := range extras {
		doors[extra] = open(t, setup{crowd: true, servers: list, equal: true, origin: common + extra + "}", transport: planTransport})
		// On a used connection this client would repeat a GET by itself.
		doors[extra].client.Transport.(*http.Transport).DisableKeepAlives = true
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		extra := rapid.SampledFrom(extras).Draw(rt, "door")
		d := doors[extra]
		most := 3
		if strings.Contains(extra, "attempts: ") {
			most = int(extra[strings.Index(extra, "attempts: ")+10] - '0')
		}
		plan := rapid.SliceOfN(rapid.SampledFrom(behaviours), most, most).Draw(rt, "plan")
		method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "PATCH"}).Draw(rt, "method")
		var body []byte
		if method != "GET" {
			body = noise(rapid.SampledFrom([]int{0, 1, 1000, 64 << 10, 64<<10 + 1, 300 << 10}).Draw(rt, "size"))
		}
		var reader io.Reader
		if len(body) > 0 {
			reader = bytes.NewReader(body)
			if rapid.Bool().Draw(rt, "length unknown") {
				reader = unknown{reader}
			}
		}
		key := rapid.Bool().Draw(rt, "key")
		id := strconv.Itoa(n)
		r := d.request(method, reader, "Plan", strings.Join(plan, ","), "Id", id, "Sum", sumOf(body))
		if key {
			r.Header.Set("Idempotency-Key", id)
		}
		resp, err := d.client.Do(r)
		complete := err == nil
		var got reply
		if err == nil {
			got = read(resp)
			complete = got.err == nil
		} else if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			rt.Fatalf("no answer: %v", err)
		}
		x := d.next()
		l.mu.Lock()
		met, bad := l.got[id], l.bad
		l.mu.Unlock()
		if len(bad) > 0 {
			rt.Fatalf("servers got wrong bodies: %v", bad)
		}
		if len(x.Attempts) > most {
			rt.Fatalf("%d attempts: %s", len(x.Attempts), x.words())
		}
		if len(met) > len(x.Attempts) {
			rt.Fatalf("servers saw %v, the exchange says %s", met, x.words())
		}
		repeatable := method == "GET" || method == "PUT" || (key && strings.Contains(extra, "accept")) || strings.Contains(extra, "non_idempotent")
		if !repeatable {
			applied := 0
			for _, what := range met {
				if what != "declines" && what != "not processed" {
					applied++
				}
			}
			if applied > 1 {
				rt.Fatalf("a plain %s may have been applied %d times: %v", method, applied, met)
			}
		}
		if !complete {
			if x.Abort != abortCut {
				rt.Fatalf("aborted with %q, %s", x.Abort, x.words())
			}
			return
		}
		if x.Abort != "" {
			rt.Fatalf("a whole answer and abort %q", x.Abort)
		}
		if reason := got.Header.Get("Evergate-Reason"); reason != "" {
			if got.content != reason {
				rt.Fatalf("our own answer is %q", got.content)
			}
			for _, a := range x.Attempts {
				if a.Class == exchange.Answered {
					rt.Fatalf("our own answer although there was a real one: %s", x.words())
				}
			}
			return
		}
		mark := got.Header.Get("Mark")
		if strings.ReplaceAll(got.content, mark+"\n", "") != "" || len(got.content)%100 != 0 || len(got.content) == 0 {
			rt.Fatalf("%d bytes that are not one server's answer (%s): %s", len(got.content), mark, x.words())
		}
		forwarded := 0
		for _, a := range x.Attempts {
			if a.Class == exchange.Forwarded {
				forwarded++
			}
		}
		if forwarded != 1 {
			rt.Fatalf("%d attempts were forwarded: %s", forwarded, x.words())
		}
	})
}
