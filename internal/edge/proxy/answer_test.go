package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

// protocols runs f with a visitor of each protocol.
func protocols(t *testing.T, f func(t *testing.T, h2 bool)) {
	for _, h2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[h2], func(t *testing.T) { f(t, h2) })
	}
}

// openFor is open with a visitor of the protocol.
func openFor(t *testing.T, h2 bool, s setup) *door {
	d := open(t, s)
	d.client = newClient(h2)
	return d
}

func TestProxy_ACutBodyIsACutAnswer(t *testing.T) {
	cuts := map[string]string{
		"within its length":           "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
		"before its first byte":       "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
		"within a chunk":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf of it",
		"between two chunks":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
		"before the end of trailers":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-A: 1\r\n",
		"by a chunk that is not one":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n",
		"in an answer to be repeated": "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nhalf of it",
	}
	protocols(t, func(t *testing.T, h2 bool) {
		for name, text := range cuts {
			t.Run(name, func(t *testing.T) {
				d := openFor(t, h2, setup{servers: []string{serve(t, says(text)).Address}, origin: "retry: {attempts: 1}"})
				resp, err := d.client.Do(d.request("GET", nil))
				switch {
				case err == nil:
					wantCut(t, read(resp))
				case !h2:
					t.Errorf("%v: a client that sees nothing of an answer may send its request again", err)
				}
				x := d.next()
				if x.Abort != abortCut || x.panicked != http.ErrAbortHandler || !strings.HasPrefix(x.words(), "5 bad_response ") { //nolint:errorlint // the very value
					t.Errorf("abort %q, panic %v, %s", x.Abort, x.panicked, x.words())
				}
				if s := d.proxy.Snapshots()[0].Servers[0]; s.Failures == 0 {
					t.Error("the server is not blamed")
				}
			})
		}
	})
}

func TestProxy_AnswersPassAsTheyAre(t *testing.T) {
	tests := []struct {
		name, method, text string
		status             int
		length             int64
		body               string
		header             map[string]string
		absent             []string
	}{
		{"a length is kept", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", 200, 5, "hello", map[string]string{"X-A": "b"}, nil},
		{"no length is made up", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, -1, "hello", nil, nil},
		{"a body up to the close", "GET", "HTTP/1.1 200 OK\r\n\r\nhello", 200, -1, "hello", nil, nil},
		{"no Content-Type is guessed", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 200, 6, "<html>", nil, []string{"Content-Type"}},
		{"HEAD has the length and no body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200, 500, "", nil, nil},
		{"204 has no body", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0, "", nil, []string{"Content-Length", "Transfer-Encoding"}},
		{"304 has no body", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n", 304, 0, "", map[string]string{"Etag": `"x"`}, []string{"Transfer-Encoding"}},
		{"an empty body", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, "", nil, nil},
		{"hop-by-hop fields stay behind", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Secret, close\r\nX-Secret: s\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nUpgrade: h2c\r\nX-Open: o\r\n\r\nok",
			200, 2, "ok", map[string]string{"X-Open": "o"}, []string{"X-Secret", "Keep-Alive", "Proxy-Authenticate", "Upgrade"}},
	}
	protocols(t, func(t *testing.T, h2 bool) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				d := openFor(t, h2, setup{servers: []string{serve(t, says(tt.text)).Address}})
				r, x := d.visit(d.request(tt.method, nil))
				if r.StatusCode != tt.status || r.content != tt.body || r.err != nil || (r.ContentLength != tt.length && tt.length != 0) {
					t.Errorf("%d, length %d, %q, %v; %s", r.StatusCode, r.ContentLength, r.content, r.err, x.words())
				}
				for k, v := range tt.header {
					if r.Header.Get(k) != v {
						t.Errorf("%s: %q, want %q", k, r.Header.Get(k), v)
					}
				}
				for _, k := range tt.absent {
					if v, ok := r.Header[k]; ok {
						t.Errorf("%s: %q is there", k, v)
					}
				}
			})
		}
	})
}

func TestProxy_TrailersPass(t *testing.T) {
	protocols(t, func(t *testing.T, h2 bool) {
		for _, announced := range []string{"", "Trailer: X-Sum, X-Two\r\n"} {
			text := "HTTP/1.1 200 OK\r\n" + announced + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-Two: a\r\nX-Two: b\r\nConnection: x\r\n\r\n"
			d := openFor(t, h2, setup{servers: []string{serve(t, says(text)).Address}})
			r, _ := d.get()
			if r.content != "hello" || r.Trailer.Get("X-Sum") != "42" || len(r.Trailer["X-Two"]) != 2 || r.Trailer["Connection"] != nil {
				t.Errorf("announced %q: %q, trailer %v", announced, r.content, r.Trailer)
			}
			d.close()
		}
	})
}

func TestProxy_InterimResponses(t *testing.T) {
	text := "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n" +
		"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Final: 1\r\n\r\nok"
	protocols(t, func(t *testing.T, h2 bool) {
		d := openFor(t, h2, setup{servers: []string{serve(t, says(text)).Address}, gateway: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Gateway", "1")
		}})
		var got []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			got = append(got, fmt.Sprint(code, " ", h.Get("Link"), h.Get("X-Hop"), h.Get("X-Gateway")))
			return nil
		}}
		r := d.request("GET", nil)
		resp, _ := d.visit(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		if strings.Join(got, "; ") != "103 </a.css>; 102 " {
			t.Errorf("interim responses %q", got)
		}
		if resp.content != "ok" || resp.Header.Get("X-Gateway") != "1" || resp.Header.Get("Link") != "" || resp.Header.Get("X-Final") != "1" {
			t.Errorf("%q %v", resp.content, resp.Header)
		}
	})
}

func TestProxy_AnInterimResponseDoesNotForbidARetry(t *testing.T) {
	first := serve(t, says("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"))
	d := open(t, setup{servers: []string{first.Address, serve(t, ok("good")).Address}})
	if r, x := d.get(); r.content != "good" || x.words() != "3 reset retried, 5 success 200" {
		t.Errorf("%q, %s", r.content, x.words())
	}
}

func TestProxy_AVisitorOfHTTP10GetsNoInterimResponse(t *testing.T) {
	text := "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
	d := open(t, setup{servers: []string{serve(t, says(text)).Address}})
	got := d.raw("GET / HTTP/1.0\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.0 200") || !strings.HasSuffix(got, "\r\n\r\nok") {
		t.Errorf("got %q", got)
	}
}

// raw sends text over a connection of its own and returns all that comes back.
func (d *door) raw(text string) string {
	d.tb.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		d.tb.Fatal(err)
	}
	all, _ := io.ReadAll(c)
	return string(all)
}

func TestProxy_EachPieceOfAStreamReachesTheVisitorAtOnce(t *testing.T) {
	heads := map[string]string{
		"events":               "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n",
		"events, known length": "Content-Type: text/event-stream; charset=utf-8\r\nContent-Length: 15\r\n",
		"unknown length":       "Transfer-Encoding: chunked\r\n",
		"gRPC, known length":   "Content-Type: application/grpc+proto\r\nContent-Length: 15\r\n",
		"up to the close":      "",
	}
	protocols(t, func(t *testing.T, h2 bool) {
		for name, head := range heads {
			t.Run(name, func(t *testing.T) {
				read := make(chan struct{})
				server := serve(t, func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
					c.Say("HTTP/1.1 200 OK\r\n" + head + "\r\n")
					for range 3 {
						if _, open := <-read; !open {
							return false
						}
						if strings.Contains(head, "chunked") {
							c.Say("5\r\nevent\r\n")
						} else {
							c.Say("event")
						}
					}
					if strings.Contains(head, "chunked") {
						c.Say("0\r\n\r\n")
					}
					return false
				})
				d := openFor(t, h2, setup{servers: []string{server.Address}})
				resp, err := d.client.Do(d.request("GET", nil)) // the head comes before the first event
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = resp.Body.Close() }()
				for i := range 3 {
					read <- struct{}{}
					piece := make([]byte, 5)
					if _, err := io.ReadFull(resp.Body, piece); err != nil || string(piece) != "event" {
						t.Fatalf("event %d: %q, %v", i, piece, err)
					}
				}
				if rest, err := io.ReadAll(resp.Body); len(rest) != 0 || err != nil {
					t.Errorf("then %q, %v", rest, err)
				}
				d.next()
			})
		}
	})
}

func TestProxy_LargeAnswersPassWholeAndInLittleMemory(t *testing.T) {
	protocols(t, func(t *testing.T, h2 bool) {
		body := string(noise(8 << 20))
		d := openFor(t, h2, setup{servers: []string{serve(t, ok(body), says("HTTP/1.1 200 OK\r\n\r\n"+body)).Address}})
		for range 2 {
			if r, _ := d.get(); r.content != body || r.err != nil {
				t.Errorf("%d of %d bytes, %v", len(r.content), len(body), r.err)
			}
		}
	})
}

func TestProxy_PipelinedRequestsAreAnsweredOneByOne(t *testing.T) {
	server := serve(t, func(c *upstreamtest.Conn, r *upstreamtest.Received) bool { return ok(r.Method+r.Content+".")(c, r) })
	d := open(t, setup{servers: []string{server.Address}})
	got := d.raw("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\noneGET /2 HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	var bodies []string
	for r := bufio.NewReader(strings.NewReader(got)); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		bodies = append(bodies, read(resp).content)
	}
	if strings.Join(bodies, "") != "POSTone.GET.POSTthree.GET." {
		t.Errorf("answers %q in %q", bodies, got)
	}
}

func TestProxy_TheVisitorMayReadSlowly(t *testing.T) {
	body := string(noise(4 << 20))
	d := open(t, setup{servers: []string{serve(t, ok(body)).Address}, origin: "retry: {timeout: 300ms}"})
	resp, err := d.client.Do(d.request("GET", nil))
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(600 * time.Millisecond) // the time of the request is up to its head
	if r := read(resp); r.content != body || r.err != nil {
		t.Errorf("%d of %d bytes, %v", len(r.content), len(body), r.err)
	}
}

func TestProxy_AVisitorWhoLeavesDuringTheAnswerEndsIt(t *testing.T) {
	protocols(t, func(t *testing.T, h2 bool) {
		for name, more := range map[string]string{"while it comes": strings.Repeat("x", 64<<20), "while the server pauses": ""} {
			t.Run(name, func(t *testing.T) {
				gone := make(chan time.Time, 1)
				server := serve(t, func(c *upstreamtest.Conn, _ *upstreamtest.Received) bool {
					c.Say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000000\r\nbegin", more)
					c.Gone()
					gone <- time.Now()
					return false
				})
				d := openFor(t, h2, setup{servers: []string{server.Address}})
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				resp, err := d.client.Do(d.request("GET", nil).WithContext(ctx))
				if err == nil {
					defer func() { _ = resp.Body.Close() }()
				} else if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				left := time.Now()
				leave()
				x := d.next()
				if x.Abort != abortVisitor || x.words() != "5 success 200" || x.Status != 200 {
					t.Errorf("abort %q, status %d, %s", x.Abort, x.Status, x.words())
				}
				if took := (<-gone).Sub(left); took > 500*time.Millisecond {
					t.Errorf("the server's connection was closed after %s", took)
				}
				if s := d.proxy.Snapshots()[0].Servers[0]; s.Failures != 0 {
					t.Error("the server is blamed")
				}
			})
		}
	})
}
