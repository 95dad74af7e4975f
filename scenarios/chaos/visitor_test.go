package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// visit is one request as its visitor saw it.
type visit struct {
	id         string
	method     string
	large      bool // the answer is larger than the door holds back
	start, end time.Time
	status     int   // 0: no answer
	cut        bool  // the answer began and did not end
	err        error // nil when the whole answer came
}

// failed reports whether the visitor did not get what was asked for.
func (v *visit) failed() bool { return v.err != nil || v.status != http.StatusOK }

// visitors send requests until the context ends.
type visitors struct {
	base   string // "http://host:port"
	client *http.Client
	count  atomic.Int64

	mu     sync.Mutex
	visits []visit
}

func newVisitors(base string) *visitors {
	return &visitors{base: base, client: &http.Client{
		Timeout:   30 * time.Second, // longer than anything the door allows itself
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
}

// send makes one kind of request again and again, with a breath between two.
func (vs *visitors) send(ctx context.Context, method, path string, body int) {
	breath := time.NewTicker(10 * time.Millisecond)
	defer breath.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-breath.C:
			v := vs.visit(method, path, body)
			vs.mu.Lock()
			vs.visits = append(vs.visits, v)
			vs.mu.Unlock()
		}
	}
}

// visit makes one request to its end; the end of the test does not cut it.
func (vs *visitors) visit(method, path string, body int) (v visit) {
	v = visit{
		id:     fmt.Sprintf("chaos-%s-%06d", strings.ToLower(method), vs.count.Add(1)),
		method: method,
		large:  path == "/large",
		start:  time.Now(),
	}
	defer func() { v.end = time.Now() }()
	var content io.Reader
	if body > 0 {
		content = strings.NewReader(strings.Repeat("b", body))
	}
	req, err := http.NewRequest(method, vs.base+path, content)
	if err != nil {
		v.err = err
		return v
	}
	// A repetition by the visitor's own client would look like one of the door's.
	req.GetBody = nil
	req.Header.Set("X-Request-Id", v.id)
	resp, err := vs.client.Do(req)
	if err != nil {
		v.err = err
		return v
	}
	defer resp.Body.Close()
	v.status = resp.StatusCode
	want := int64(smallAnswer)
	if v.large {
		want = largeAnswer
	}
	n, err := io.Copy(io.Discard, resp.Body)
	switch {
	case err != nil:
		v.err, v.cut = err, true
	case v.status == http.StatusOK && n != want:
		v.err = errors.New("an answer of the wrong length looked whole")
	}
	return v
}
