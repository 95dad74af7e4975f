package clients

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/demo/vendor"
)

// run sends requests to handler for d and returns the results.
func run(t *testing.T, rate int, d time.Duration, handler http.HandlerFunc) []Result {
	t.Helper()
	web := httptest.NewServer(handler)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var mu sync.Mutex
	var results []Result
	New(web.URL, rate, 5).Run(ctx, t.Context(), func(r Result) {
		mu.Lock()
		defer mu.Unlock()
		results = append(results, r)
	})
	return results
}

func TestStream_AsksForEverythingAtItsRate(t *testing.T) {
	before := runtime.NumGoroutine()
	var mu sync.Mutex
	orders, paths := map[string]bool{}, map[string]int{}
	results := run(t, 300, 2*time.Second, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.UserAgent() != Agent {
			t.Errorf("%s %s: %v, from %q", r.Method, r.URL, err, r.UserAgent())
		}
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			var order vendor.Order
			if err := json.Unmarshal(body, &order); err != nil || orders[order.Order] {
				t.Errorf("order %s: %v", body, err)
			}
			orders[order.Order] = true
		} else if len(body) > 0 || len(r.TransferEncoding) > 0 {
			t.Errorf("%s %s has a body", r.Method, r.URL)
		}
		paths[strings.SplitN(r.URL.Path, "/", 3)[1]]++
		io.WriteString(w, "{}")
	})
	if len(results) < 300 || len(results) > 700 { // a busy machine makes them fewer
		t.Errorf("%d requests in two seconds, want about 600", len(results))
	}
	for _, r := range results {
		if r.Failed() {
			t.Errorf("%+v failed", r)
		}
	}
	if paths["patients"] == 0 || paths["results"] == 0 || paths["orders"] != len(orders) || len(orders) == 0 {
		t.Errorf("asked for %v, with %d orders", paths, len(orders))
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("goroutines are left")
		}
	}
}

func TestStream_TellsWhatItSuffered(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		status  int
		err     bool
	}{
		{"an error status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 502, false},
		{"an answer cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 200, true},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, true},
		{"an answer that makes no sense", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }, 200, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			received := 0
			results := run(t, 50, 500*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				received++
				mu.Unlock()
				tt.handler(w, r)
			})
			if len(results) == 0 || received != len(results) {
				t.Errorf("%d requests received, %d results: somebody repeats them", received, len(results))
			}
			for _, r := range results {
				if !r.Failed() || r.Status != tt.status || (r.Err != nil) != tt.err {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

func TestStream_CutRequestsHaveNoResult(t *testing.T) {
	asked := make(chan struct{}, workers)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer web.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	New(web.URL, workers, 5).Run(ctx, ctx, func(r Result) { t.Errorf("%+v", r) })
}
