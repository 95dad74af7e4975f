package framing

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// recorder is an upstream that keeps what it gets and answers each whole request
// with its number.
type recorder struct {
	listener net.Listener

	mu       sync.Mutex // guards the fields below
	whole    []*request
	begun    int     // heads
	breaches []error // what was malformed
}

// seen is the field of an answer with the number of its request, counted from 1
// since the last reset.
const seen = "X-Seen"

// targets with a special answer
const (
	earlyTarget = "/early" // answered before its body is read
)

func newRecorder(t testing.TB) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(c)
		}
	}()
	return r
}

func (r *recorder) url() string { return "http://" + r.listener.Addr().String() }

// serve reads requests until something is wrong.
func (r *recorder) serve(c net.Conn) {
	defer c.Close()
	reader := bufio.NewReader(c)
	for {
		early := false
		q, err := parse(reader, func(q *request) {
			r.mu.Lock()
			r.begun++
			r.mu.Unlock()
			if early = strings.HasPrefix(q.target, earlyTarget); early {
				r.answer(c, q)
			}
		})
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, errCut) {
				r.mu.Lock()
				r.breaches = append(r.breaches, err)
				r.mu.Unlock()
			}
			return
		}
		if !early && r.answer(c, q) != nil {
			return
		}
	}
}

func (r *recorder) answer(w io.Writer, q *request) error {
	r.mu.Lock()
	r.whole = append(r.whole, q)
	number := len(r.whole)
	r.mu.Unlock()
	// Without a body, an answer to HEAD looks like any other.
	_, err := fmt.Fprintf(w, "HTTP/1.1 200 OK\r\n%s: %d\r\nContent-Length: 0\r\n\r\n", seen, number)
	return err
}

// take returns what came since the last take, and forgets it.
func (r *recorder) take() (whole []*request, begun int, breaches []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	whole, begun, breaches = r.whole, r.begun, r.breaches
	r.whole, r.begun, r.breaches = nil, 0, nil
	return whole, begun, breaches
}
