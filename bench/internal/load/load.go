// Package load makes the requests of the benchmark with wrk (HTTP/1.1) and
// h2load (HTTP/2). Both are C programs on an event loop and take less of the
// processors than a generator in Go would; both count exactly what they got.
package load

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// Connections is how many clients ask at once, each again as soon as it has its
// answer.
const Connections = 64

// Case is one kind of request.
type Case struct {
	Name   string
	TLS    bool
	HTTP2  bool // with TLS
	Method string
	Path   string
	Size   int // bytes of the answer's body
}

// Cases are all that there are, in the order in which they are run.
var Cases = []Case{
	{Name: "get-1k", Method: "GET", Path: "/bench-1k", Size: 1 << 10},
	{Name: "get-100k", Method: "GET", Path: "/bench-100k", Size: 100 << 10},
	{Name: "post-1k", Method: "POST", Path: "/bench-1k", Size: 1 << 10},
	{Name: "tls-get-1k", TLS: true, Method: "GET", Path: "/bench-1k", Size: 1 << 10},
	{Name: "tls-get-100k", TLS: true, Method: "GET", Path: "/bench-100k", Size: 100 << 10},
	{Name: "tls-post-1k", TLS: true, Method: "POST", Path: "/bench-1k", Size: 1 << 10},
	{Name: "h2-get-1k", TLS: true, HTTP2: true, Method: "GET", Path: "/bench-1k", Size: 1 << 10},
}

// PostBody is the size of the body of a POST.
const PostBody = 1 << 10

// Text says in words what the case is.
func (c Case) Text() string {
	protocol := "HTTP/1.1"
	if c.TLS {
		protocol += " over TLS"
	}
	if c.HTTP2 {
		protocol = "HTTP/2 over TLS, one stream at a time per connection"
	}
	what := "GET"
	if c.Method == "POST" {
		what = "POST of 1 KB"
	}
	return fmt.Sprintf("%s, %s, answer of %d KB", protocol, what, c.Size>>10)
}

// URL of the case at a proxy on this port. It is "localhost" and no address
// because TLS names the host that it wants.
func (c Case) URL(port int) string {
	scheme := "http"
	if c.TLS {
		scheme = "https"
	}
	return fmt.Sprintf("%s://localhost:%d%s", scheme, port, c.Path)
}

// Result is what a generator saw.
type Result struct {
	Requests int           // complete answers
	Failed   int           // errors, time-outs, and statuses that are not 2xx or 3xx
	Bytes    int64         // read in all, or in bodies only
	Elapsed  time.Duration // from the first request to the last answer
	P50, P99 time.Duration
	CPU      time.Duration // that the generator used
}

// Check holds r against what c should have given.
func (r Result) Check(c Case) error {
	if r.Requests == 0 {
		return fmt.Errorf("no request was answered")
	}
	if r.Failed > 0 {
		return fmt.Errorf("%d of %d requests failed", r.Failed, r.Requests+r.Failed)
	}
	if least := int64(r.Requests) * int64(c.Size); r.Bytes < least {
		return fmt.Errorf("%d answers of %d bytes are %d bytes, and %d came", r.Requests, c.Size, least, r.Bytes)
	}
	return nil
}

// Generator makes load.
type Generator struct {
	Dir  string // for scripts and logs
	CPUs string // processors it may run on, as taskset takes them; empty: all
}

// Run asks for c at port for the duration, and returns what came and what the
// generator wrote.
func (g Generator) Run(ctx context.Context, c Case, port int, duration time.Duration) (Result, string, error) {
	// Whatever hangs, the benchmark goes on.
	ctx, cancel := context.WithTimeout(ctx, duration+20*time.Second)
	defer cancel()
	if c.HTTP2 {
		return g.h2load(ctx, c, port, duration)
	}
	return g.wrk(ctx, c, port, duration)
}

// Available returns an error if the generator of c is not on this machine.
func Available(c Case) error {
	name := "wrk"
	if c.HTTP2 {
		name = "h2load"
	}
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%s makes the load of %s and is not installed (make setup)", name, c.Name)
	}
	return nil
}
