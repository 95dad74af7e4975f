package api

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

// pipes is a listener whose connections are made in memory, so that their deadlines
// are those of a synctest bubble.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// overPipe serves f behind BodyWithin on one connection and returns its other end.
func overPipe(t *testing.T, f *fixture) net.Conn {
	t.Helper()
	p := &pipes{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	server := &http.Server{Handler: BodyWithin(f.handler)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p) }()
	here, there := net.Pipe()
	p.conns <- there
	t.Cleanup(func() {
		here.Close()
		server.Close()
		<-served
	})
	return here
}

func TestBodyWithin_EndsABodyThatComesByteByByte(t *testing.T) {
	for name, head := range map[string]string{
		"for an operation with a body":    "PUT " + base + "/levers/origins.booking.paused",
		"for an operation without a body": "POST " + base + "/reload",
		"for a path that does not exist":  "POST /api/none",
		"for a look":                      "GET " + base + "/status",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				conn := overPipe(t, f)
				begun := time.Now()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					io.WriteString(conn, head+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nAuthorization: Bearer "+f.tokens[token.Admin]+"\r\n\r\n")
					for { // until the connection is closed
						if _, err := io.WriteString(conn, " "); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				}()
				answer, err := io.ReadAll(conn)
				if took := time.Since(begun); took > bodyTime+time.Second {
					t.Errorf("the connection ended after %s", took)
				}
				if len(answer) == 0 {
					t.Errorf("there was no answer (%v)", err)
				}
				<-sent
			})
		})
	}
}

func TestBodyWithin_DoesNotEndWhatComesAfterTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan bool, 1)
		h := BodyWithin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.ReadAll(r.Body)
			select {
			case <-r.Context().Done():
				gone <- true
			case <-time.After(10 * bodyTime):
				gone <- false
			}
		}))
		p := &pipes{conns: make(chan net.Conn, 1), done: make(chan struct{})}
		server := &http.Server{Handler: h}
		served := make(chan error, 1)
		go func() { served <- server.Serve(p) }()
		here, there := net.Pipe()
		p.conns <- there
		go io.WriteString(here, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
		go io.Copy(io.Discard, here)
		if <-gone {
			t.Error("a request was given up while its client waited for the answer")
		}
		here.Close()
		server.Close()
		<-served
	})
}

func TestBodyWithin_LeavesARecorderAlone(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("x"))
	BodyWithin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })).ServeHTTP(w, r)
	if w.Body.String() != "x" {
		t.Errorf("got %q", w.Body)
	}
}
