package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
)

// slowly is a visitor who sends pieces, each after a pause, and the deadline that
// would end the wait.
type slowly struct {
	now      time.Time
	deadline time.Time
	sets     int
	pieces   []piece
}

type piece struct {
	pause time.Duration
	bytes int
}

func (s *slowly) Read(p []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	next := s.pieces[0]
	if at := s.now.Add(next.pause); !s.deadline.IsZero() && at.After(s.deadline) {
		s.now = s.deadline
		return 0, os.ErrDeadlineExceeded
	}
	s.now = s.now.Add(next.pause)
	s.pieces = s.pieces[1:]
	return min(next.bytes, len(p)), nil
}

func (s *slowly) Close() error { return nil }

func (s *slowly) setDeadline(t time.Time) error {
	s.deadline = t
	s.sets++
	return nil
}

func times(n int, p piece) []piece {
	all := make([]piece, n)
	for i := range all {
		all[i] = p
	}
	return all
}

func TestBody_PausesAndRate(t *testing.T) {
	limits := config.BodyLimits{IdleTimeout: config.Duration(30 * time.Second), MinRate: 500, Grace: config.Duration(10 * time.Second)}
	tests := []struct {
		name   string
		pieces []piece
		late   bool
	}{
		{"at once", times(10, piece{0, 100}), false},
		{"a pause of 30 s, with enough before it", append(times(20, piece{0, 1000}), piece{30 * time.Second, 1}), false},
		{"a pause of 40 s", append(times(50, piece{0, 1000}), piece{40 * time.Second, 1}), true},
		{"too slow within the grace", times(9, piece{time.Second, 1}), false},
		{"too slow beyond it", times(20, piece{time.Second, 1}), true},
		{"just fast enough", times(60, piece{time.Second, 510}), false},
		{"an hour at 1000 bytes per second", times(3600, piece{time.Second, 1000}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &slowly{now: time.Unix(1000, 0), pieces: tt.pieces}
			b := &body{src: s, deadline: s.setDeadline, clock: clock.At(func() time.Time { return s.now }), size: 1 << 30, length: -1,
				idle: limits.IdleTimeout.D(), rate: float64(limits.MinRate), grace: limits.Grace.D()}
			_, err := io.Copy(io.Discard, b)
			if late := errors.Is(err, os.ErrDeadlineExceeded); late != tt.late || !late && err != nil {
				t.Errorf("%v", err)
			}
			if !tt.late && (!s.deadline.IsZero() || !b.complete.Load()) {
				t.Errorf("the deadline is still %v", s.deadline)
			}
			if tt.late && b.complete.Load() {
				t.Error("complete")
			}
			if s.sets > len(tt.pieces)/3+5 {
				t.Errorf("%d deadlines for %d pieces", s.sets, len(tt.pieces))
			}
		})
	}
}

func TestBody_OnlyWaitingForTheVisitorCounts(t *testing.T) {
	s := &slowly{now: time.Unix(1000, 0), pieces: times(100, piece{0, 1})}
	b := &body{src: s, deadline: s.setDeadline, clock: clock.At(func() time.Time { return s.now }), size: 1 << 30, length: -1,
		idle: time.Minute, rate: 500, grace: 10 * time.Second}
	for range 50 {
		if _, err := b.Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(time.Hour) // the server takes its time
	}
}

func TestBody_Size(t *testing.T) {
	for _, n := range []int{0, 9, 10, 11, 100} {
		b := &body{src: io.NopCloser(bytes.NewReader(make([]byte, n))), deadline: func(time.Time) error { return nil }, size: 10, length: -1, idle: time.Minute}
		got, err := io.ReadAll(b)
		var tooLarge *http.MaxBytesError
		if large := errors.As(err, &tooLarge); large != (n > 10) || len(got) > 10 || !large && (err != nil || len(got) != n) {
			t.Errorf("of %d bytes: %d, %v", n, len(got), err)
		}
		if _, again := b.Read(make([]byte, 1)); n > 10 && !errors.As(again, &tooLarge) {
			t.Errorf("and then: %v", again)
		}
	}
}

func TestBody_TrailersThatNobodyMaySendAreDropped(t *testing.T) {
	trailer := http.Header{"Grpc-Status": {"0"}, "X-Forwarded-For": {"1"}, "Content-Length": {"5"}, "A_b": {"1"}, "Transfer-Encoding": {"x"}}
	b := &body{src: io.NopCloser(strings.NewReader("")), deadline: func(time.Time) error { return nil }, size: 10, length: -1, idle: time.Minute, trailer: trailer}
	if _, err := io.ReadAll(b); err != nil || len(trailer) != 1 || trailer["Grpc-Status"] == nil {
		t.Errorf("%v, %v", trailer, err)
	}
}

func TestLimitBody_TooLargeIsRefusedUnread(t *testing.T) {
	d := newDoor(t, strings.Replace(plain, "origin: shop}", "origin: shop, body_size: 10}", 1))
	r := request("POST", "/")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("12345678901")), 11
	res := d.serve(r)
	if x := d.seen(); res.StatusCode != 413 || x.Denial != "body_too_large" || x.BytesIn != 0 || d.servers.last() != nil || res.Header.Get("Connection") != "close" {
		t.Errorf("%d, exchange %+v", res.StatusCode, x)
	}
	r = request("POST", "/")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("1234567890")), 10
	if res := d.serve(r); res.StatusCode != 200 || d.seen().BytesIn != 10 || res.Header.Get("Connection") != "" {
		t.Errorf("%d for what fits", res.StatusCode)
	}
}

func TestLimitBody_HTTP3DoesNotSayThatThereIsNone(t *testing.T) {
	for body, length := range map[string]int64{"": 0, "x": -1, "more": -1} {
		d := newDoor(t, plain)
		r := request("GET", "/")
		over(r, 3)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		d.serve(r)
		if got := d.servers.last(); got.ContentLength != length || d.servers.bodies[0] != body {
			t.Errorf("%q became %q of %d bytes", body, d.servers.bodies[0], got.ContentLength)
		}
	}
}

// dial connects to s and writes text.
func dial(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLimitBody_AVisitorWhoStopsGetsTheServersAnswer(t *testing.T) {
	d := newDoor(t, `limits: {body: {idle_timeout: 100ms}}
`+plain)
	read := make(chan error, 1)
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
		d.Refuse(w, r, 408, "body_timeout", 0)
	}
	c := dial(t, d.listen().Listener.Addr().String(), "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\nhalf")
	all, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 408 ") || !strings.Contains(string(all), "\r\nConnection: close\r\n") {
		t.Errorf("%q, %v", all, err)
	}
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server's error: %v", err)
	}
}

func TestLimitBody_ARefusedUploadDoesNotOutliveTheLimits(t *testing.T) {
	d := newDoor(t, `limits: {body: {idle_timeout: 100ms}}
`+strings.Replace(plain, "hosts: [shop.test]", "hosts: [other.test]", 1))
	c := dial(t, d.listen().Listener.Addr().String(), "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
	all, err := io.ReadAll(c) // ends when the door has closed the connection
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 421 ") {
		t.Errorf("%q, %v", all, err)
	}
}

func TestLimitBody_TheConnectionGoesOnAfterABody(t *testing.T) {
	d := newDoor(t, `limits: {body: {idle_timeout: 100ms}}
`+plain)
	const post = "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nbody"
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 4)); err != nil { // as a transport: the length and no more
			t.Error(err)
		}
		w.WriteHeader(204)
	}
	c := dial(t, d.listen().Listener.Addr().String(), post+post)
	buf := make([]byte, 4096)
	var got string
	for strings.Count(got, "HTTP/1.1 204") < 2 {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += string(buf[:n])
	}
	if strings.Contains(got, "Connection: close") {
		t.Errorf("%q", got)
	}
}

func TestLimitBody_AnAnswerMayGoOutWhileTheBodyComesIn(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	}
	s := d.listen()
	out, in := io.Pipe()
	r, err := http.NewRequestWithContext(context.Background(), "POST", s.URL, out)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	fmt.Fprint(in, "late")
	in.Close()
	if got := text(t, res); got != "late" {
		t.Errorf("%q", got)
	}
}
