// Package clients is the people and programs that use the hospital's vendor API:
// a stream of requests at a bounded rate that counts what its clients suffer.
package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/demo/vendor"
)

// Agent is the User-Agent of all requests.
const Agent = "evergate-demo"

const (
	workers     = 32
	ordersOfTen = 2                // of ten requests, how many are orders
	patience    = 30 * time.Second // longer than any door should make them wait
)

// Result is one request as its client saw it.
type Result struct {
	Method string
	Order  string        // the number of an order, for a POST
	Status int           // 0: no answer
	Err    error         // why there was no answer, or no whole one; nil otherwise
	Took   time.Duration // to the end of the answer
}

// Failed reports whether the client did not get what it asked for.
func (r *Result) Failed() bool { return r.Err != nil || r.Status >= 400 }

// Stream is the clients.
type Stream struct {
	base   string
	rate   int
	random *rand.Rand
	web    *http.Client
	orders atomic.Int64
	name   string // of this stream, in the numbers of its orders
}

// New returns clients of the API at base ("http://host:port") who together make
// rate requests per second, 1 or more; fewer when the answers take long.
func New(base string, rate int, seed uint64) *Stream {
	return &Stream{
		base:   base,
		rate:   rate,
		random: rand.New(rand.NewPCG(seed, 99)),
		name:   fmt.Sprintf("%x", seed),
		web: &http.Client{
			Timeout:   patience,
			Transport: &http.Transport{MaxIdleConnsPerHost: workers},
		},
	}
}

// Run makes requests until ctx ends, then lets those under way come to their end
// until force ends too, which cuts them. It calls each with every result, from
// several goroutines; a request that was cut has none. Run returns when all is quiet.
func (s *Stream) Run(ctx, force context.Context, each func(Result)) {
	defer s.web.CloseIdleConnections()
	n := min(workers, s.rate)
	breath := time.Duration(n) * time.Second / time.Duration(s.rate)
	var running sync.WaitGroup
	for range n {
		random := rand.New(rand.NewPCG(s.random.Uint64(), s.random.Uint64()))
		running.Go(func() {
			// Not all at once: each client begins somewhere in the first breath.
			if !clock.Sleep(ctx, time.Duration(random.Int64N(int64(breath)))) {
				return
			}
			tick := time.NewTicker(breath)
			defer tick.Stop()
			for ctx.Err() == nil {
				result := s.request(force, random)
				if force.Err() != nil {
					return
				}
				each(result)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	running.Wait()
}

// request makes one request to its end.
func (s *Stream) request(ctx context.Context, random *rand.Rand) Result {
	start := time.Now()
	result := s.exchange(ctx, random)
	result.Took = time.Since(start)
	return result
}

func (s *Stream) exchange(ctx context.Context, random *rand.Rand) Result {
	result := Result{Method: http.MethodGet}
	target, body := fmt.Sprintf("/patients/%d", random.IntN(5000)), ""
	switch n := random.IntN(10); {
	case n < ordersOfTen:
		result.Method, result.Order = http.MethodPost, fmt.Sprintf("%s-%d", s.name, s.orders.Add(1))
		text, err := json.Marshal(vendor.Order{Order: result.Order, Patient: fmt.Sprint(random.IntN(5000)), Test: "X-ray, chest"})
		if err != nil {
			result.Err = err
			return result
		}
		target, body = "/orders", string(text)
	case n < 6:
		target = fmt.Sprintf("/results/%d", random.IntN(5000))
	}
	// A reader that http.NewRequest does not know: http.Transport cannot send it
	// again, so it repeats nothing by itself, not even a GET.
	req, err := http.NewRequestWithContext(ctx, result.Method, s.base+target, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		result.Err = err
		return result
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("User-Agent", Agent)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.web.Do(req)
	if err != nil {
		result.Err = err
		return result
	}
	defer resp.Body.Close()
	result.Status = resp.StatusCode
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		result.Err = fmt.Errorf("the answer was cut: %w", err)
	case !result.Failed() && !json.Valid(text):
		result.Err = fmt.Errorf("the answer is no JSON: %.80q", text)
	}
	return result
}
