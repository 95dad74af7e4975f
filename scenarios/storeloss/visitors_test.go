package storeloss

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// visitors ask the door all the time, and a load balancer asks whether it is ready.
type visitors struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	good   int
	failed []failure
}

// failure is a request that was not answered as it must be.
type failure struct {
	began, ended time.Time
	err          error
}

func (f failure) String() string { return f.began.Format(time.StampMilli) + " " + f.err.Error() }

// visit is a request of visitors and the answer they must get.
type visit struct {
	method, url, host, body, want string
}

// visit begins with eight visitors, every second of whom makes a new connection for
// each request.
func (e *evergate) visit() *visitors {
	ctx, cancel := context.WithCancel(context.Background())
	v := &visitors{stop: cancel}
	door := "http://" + e.http
	form := strings.Repeat("x", 3000)
	for n := range 8 {
		v.running.Go(func() {
			v.loop(ctx, 10*time.Millisecond, n%2 == 0, []visit{
				{http.MethodGet, door + "/a/page", "door.example", "", "GET /a/page 0"},
				{http.MethodGet, door + "/forms/1", "door.example", "", "GET /forms/1 0"},
				{http.MethodPost, door + "/forms/2", "door.example", form, "POST /forms/2 3000"},
			})
		})
	}
	v.running.Go(func() {
		v.loop(ctx, 50*time.Millisecond, true, []visit{{http.MethodGet, "http://" + e.admin + "/readyz", "", "", ""}})
	})
	return v
}

func (v *visitors) loop(ctx context.Context, every time.Duration, keep bool, visits []visit) {
	transport := &http.Transport{DisableKeepAlives: !keep}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := time.Now()
		err := visits[n%len(visits)].make(client)
		v.mu.Lock()
		if err == nil {
			v.good++
		} else {
			v.failed = append(v.failed, failure{began, time.Now(), err})
		}
		v.mu.Unlock()
	}
}

// make asks; an error is whatever a visitor would call a failure.
func (v visit) make(client *http.Client) error {
	r, err := http.NewRequest(v.method, v.url, strings.NewReader(v.body))
	if err != nil {
		return err
	}
	r.Host = v.host
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", v.method, v.url, err)
	case resp.StatusCode != http.StatusOK || v.want != "" && string(body) != v.want:
		return fmt.Errorf("%s %s: %s: %.200s", v.method, v.url, resp.Status, body)
	}
	return nil
}

// serve waits until so many more requests were answered.
func (v *visitors) serve(t *testing.T, more int) {
	t.Helper()
	count := func() int {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.good
	}
	enough := count() + more
	eventually(t, "visitors to be served", 10*time.Second, func() bool { return count() >= enough })
}

// forgive takes out the failures of requests that were under way at any time from dead
// until up, when there was no process to answer them, and returns their number.
func (v *visitors) forgive(dead, up time.Time) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := len(v.failed)
	v.failed = slices.DeleteFunc(v.failed, func(f failure) bool { return f.began.Before(up) && f.ended.After(dead) })
	return all - len(v.failed)
}

// leave ends the visits, which must all have been answered, and returns their number.
func (v *visitors) leave(t *testing.T) int {
	t.Helper()
	v.stop()
	v.running.Wait()
	if len(v.failed) > 0 || v.good == 0 {
		t.Errorf("%d requests were answered, %d failed: %v", v.good, len(v.failed), v.failed[:min(3, len(v.failed))])
	}
	return v.good
}
