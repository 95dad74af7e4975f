package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/noise"
)

// serveAdmin serves handler to operators on loopback and returns the address.
func serveAdmin(t *testing.T, handler http.Handler, log *slog.Logger) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newAdminServer(handler, log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return listener.Addr().String()
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// closed waits until the other end has closed conn.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection was answered")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection is still open")
	}
}

func TestAdminServer_AnswersWhileOthersHoldConnectionsAndSendNothing(t *testing.T) {
	address := serveAdmin(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") }), slog.New(slog.DiscardHandler))
	var first net.Conn
	for i := range 2 * maxAdminConns {
		conn := connect(t, address)
		if i == 0 {
			first = conn
		}
		if i%2 == 0 { // half a head
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
		}
	}
	closed(t, first)
	if status, body := get(t, address, "/", ""); status != 200 || body != "here" {
		t.Errorf("answered %d %q", status, body)
	}
}

func TestCrowd_CutsWhoHasWaitedLongestAndNobodyAtWork(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	crowd := newCrowd(3)
	server := &http.Server{
		Handler: crowd.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/work" {
				arrived <- struct{}{}
				<-release
			}
			io.WriteString(w, "done")
		})),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return crowd.come(ctx, c) },
		ConnState: func(c net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				crowd.leave(c)
			}
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() { server.Close(); <-served }()
	address := listener.Addr().String()
	guests := func() (all, waiting int) {
		crowd.mu.Lock()
		defer crowd.mu.Unlock()
		return len(crowd.guests), crowd.waiting.Len()
	}

	work := connect(t, address)
	fmt.Fprint(work, "GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	idle := connect(t, address)
	fmt.Fprint(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := bufio.NewReader(idle).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	silent := connect(t, address)
	waitFor(t, "three connections, two of which wait", func() bool { all, waiting := guests(); return all == 3 && waiting == 2 })
	second := connect(t, address)
	waitFor(t, "one of them to go", func() bool { all, waiting := guests(); return all == 3 && waiting == 2 })
	third := connect(t, address) // the two that waited before are gone after this one
	fmt.Fprint(third, "GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	closed(t, silent)
	if err := idle.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, idle); err != nil && err.(net.Error).Timeout() {
		t.Error("the idle connection is still open")
	}

	fmt.Fprint(second, "GET /work HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	closed(t, connect(t, address)) // all are at work: the new one goes
	close(release)
	for _, conn := range []net.Conn{work, second, third} {
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
			t.Errorf("one at work got %q, %v", line, err)
		}
		conn.Close()
	}
	waitFor(t, "all to leave", func() bool { all, waiting := guests(); return all == 0 && waiting == 0 })
}

func TestAdminServer_ComplaintsOfStrangersAreBounded(t *testing.T) {
	log := new(syncBuffer)
	c := complaints{slog.New(slog.NewTextHandler(log, nil)), noise.New()}
	for range 1000 {
		fmt.Fprintf(&c, "http: TLS handshake error from 192.0.2.1:1000: bad\n")
	}
	if n := strings.Count(log.String(), "\n"); n != 10 {
		t.Errorf("1000 complaints wrote %d lines", n)
	}
}
