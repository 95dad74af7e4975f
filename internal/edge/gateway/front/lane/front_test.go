package lane_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/front"
)

const getRoot = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"

func seconds(n float64) config.Duration { return config.Duration(n * float64(time.Second)) }

// settings are those of a front with one plain listener.
func settings() *config.Config {
	return &config.Config{
		Listen: config.Listen{HTTP: config.StringList{"127.0.0.1:0"}},
		Limits: config.Limits{
			HeaderBytes: 16 << 10, HeaderTimeout: seconds(10), IdleTimeout: seconds(60),
			Response: config.ResponseLimits{IdleTimeout: seconds(30), MinRate: 500, Grace: seconds(10)},
		},
	}
}

// house is a front on loopback, which serves from the lane.
type house struct {
	t       *testing.T
	front   *front.Front
	address string
}

func newHouse(t *testing.T, cfg *config.Config, h http.HandlerFunc) *house {
	t.Helper()
	f := front.New(front.Options{Handler: h, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { f.Close() })
	if err := f.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	plain, _ := f.Addresses()
	return &house{t, f, plain[0]}
}

// visitor is a raw connection.
type visitor struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (h *house) dial() *visitor {
	h.t.Helper()
	c, err := net.Dial("tcp", h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &visitor{h.t, c, bufio.NewReader(c)}
}

func (v *visitor) send(text string) {
	v.t.Helper()
	if _, err := io.WriteString(v.Conn, text); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) answer() (*http.Response, string) {
	v.t.Helper()
	res, err := http.ReadResponse(v.r, nil)
	if err != nil {
		v.t.Fatalf("read the answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatalf("read the body: %v", err)
	}
	return res, string(body)
}

func (v *visitor) ended() bool {
	_, err := v.r.ReadByte()
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// onLane reports whether the lane serves r: net/http's requests know their server.
func onLane(r *http.Request) bool { return r.Context().Value(http.ServerContextKey) == nil }

// echo tells what came.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "lane %v: %s %s %q %v", onLane(r), r.Method, r.RequestURI, body, err)
}

func TestFront_WhatIsNotSimpleIsNetHTTPs(t *testing.T) {
	tests := []struct {
		name, text string
		status     int
		want       string // "": not looked at
		close      bool
	}{
		{"a chunked POST", "POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, `lane false: POST /c "hello" <nil>`, false},
		{"a long POST", "POST /c HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 200, "lane false: POST /c \"" + strings.Repeat("x", 100000) + "\" <nil>", false},
		{"Expect", "POST /c HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", 100, "", false},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", 200, `lane false: OPTIONS * "" <nil>`, false},
		{"CONNECT", "CONNECT b.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n", 200, `lane false: CONNECT b.test:443 "" <nil>`, false},
		{"the absolute form", "GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", 200, `lane false: GET http://b.test/x "" <nil>`, false},
		{"HTTP/1.0", "GET /old HTTP/1.0\r\n\r\n", 200, `lane false: GET /old "" <nil>`, true},
		{"the connection's end", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", 200, `lane false: GET / "" <nil>`, true},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "", true},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400, "", true},
		{"a folded line", "GET /f HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n 2\r\n\r\n", 200, `lane false: GET /f "" <nil>`, false},
		{"a folded host", "GET / HTTP/1.1\r\nHost: a.test\r\n X: 1\r\n\r\n", 400, "", true},
		{"NUL", "GET / HTTP/1.1\r\nHost: a.test\r\nX: \x00\r\n\r\n", 400, "", true},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "", true},
		{"a head that is too large", "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + strings.Repeat("x", 24<<10) + "\r\n\r\n", 431, "", true},
		{"a head above ours and below net/http's", "GET /b HTTP/1.1\r\nHost: a.test\r\nX: " + strings.Repeat("x", 12<<10) + "\r\n\r\n", 200, `lane false: GET /b "" <nil>`, false},
		{"a head that breaks off", "GET / HTTP/1.1\r\nHost: a", 400, "", true},
	}
	for _, tt := range tests {
		for name, before := range map[string]string{"": "", ", behind one that is": getRoot, ", behind a body": "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi"} {
			t.Run(tt.name+name, func(t *testing.T) {
				v := newHouse(t, settings(), echo).dial()
				v.send(before + tt.text)
				if tt.name == "a head that breaks off" {
					v.Conn.(*net.TCPConn).CloseWrite()
				}
				if before != "" {
					if res, body := v.answer(); res.StatusCode != 200 || !strings.HasPrefix(body, "lane true") {
						t.Fatalf("the request before: %s %q", res.Status, body)
					}
				}
				res, body := v.answer()
				if res.StatusCode == 100 {
					v.send("hello")
					res, body = v.answer()
					tt.status, tt.want = 200, `lane false: POST /c "hello" <nil>`
				}
				if res.StatusCode != tt.status || tt.want != "" && body != tt.want || res.Close != tt.close {
					t.Fatalf("got %s %q, close %v; want %d %q", res.Status, body, res.Close, tt.status, tt.want)
				}
				if tt.close {
					return
				}
				v.send(getRoot)
				if res, body := v.answer(); res.StatusCode != 200 || body != `lane false: GET / "" <nil>` {
					t.Errorf("the request behind: %s %q", res.Status, body)
				}
			})
		}
	}
}

func TestFront_AWebsocketMayFollowARequest(t *testing.T) {
	h := newHouse(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			echo(w, r)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer c.CloseNow()
		kind, message, err := c.Read(r.Context())
		if err == nil {
			err = c.Write(r.Context(), kind, message)
		}
		if err != nil {
			t.Errorf("echo: %v", err)
		}
	})
	v := h.dial()
	v.send(getRoot)
	if _, body := v.answer(); !strings.HasPrefix(body, "lane true") {
		t.Errorf("the first request: %q", body)
	}
	// The client goes on with the connection that the request was made on.
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return v.Conn, nil }}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+h.address+"/ws", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := c.Read(ctx); err != nil || string(message) != "hello" {
		t.Errorf("got %q, %v", message, err)
	}
}

func TestFront_APROXYHeaderMayComeWithTheFirstRequests(t *testing.T) {
	cfg := settings()
	cfg.Listen.ProxyProtocol = config.ProxyProtocol{From: []config.Prefix{{Prefix: netip.MustParsePrefix("127.0.0.0/8")}}, Timeout: seconds(5)}
	h := newHouse(t, cfg, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, onLane(r), " ", r.RemoteAddr) })
	const header = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"
	chunked := "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	for _, tt := range []struct {
		name  string
		text  string
		lanes []bool
	}{
		{"one in the same piece", getRoot, []bool{true}},
		{"several in the same piece", getRoot + getRoot + getRoot, []bool{true, true, true}},
		{"more than fits beside the header", strings.Repeat("GET /"+strings.Repeat("x", 300)+" HTTP/1.1\r\nHost: a.test\r\n\r\n", 40), make([]bool, 0)},
		{"one that is not simple", chunked + getRoot, []bool{false, false}},
		{"a simple one and one that is not", getRoot + chunked, []bool{true, false}},
	} {
		v := h.dial()
		v.send(header + tt.text)
		if len(tt.lanes) == 0 {
			for range 40 {
				tt.lanes = append(tt.lanes, true)
			}
		}
		for i, lane := range tt.lanes {
			if _, body := v.answer(); body != fmt.Sprint(lane, " 192.0.2.7:4711") {
				t.Errorf("%s: request %d: %q", tt.name, i, body)
			}
		}
		v.send(getRoot)
		if _, body := v.answer(); !strings.HasSuffix(body, "192.0.2.7:4711") {
			t.Errorf("%s: a later request: %q", tt.name, body)
		}
	}
}

func TestFront_AVisitorWhoDoesNotReadIsEnded(t *testing.T) {
	for _, length := range []string{"", "1000000000"} {
		cfg := settings()
		cfg.Limits.Response = config.ResponseLimits{IdleTimeout: seconds(0.2)}
		failed := make(chan error, 1)
		h := newHouse(t, cfg, func(w http.ResponseWriter, r *http.Request) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for piece := make([]byte, 64<<10); ; {
				if _, err := w.Write(piece); err != nil {
					failed <- err
					return
				}
			}
		})
		v := h.dial()
		v.send(getRoot)
		select {
		case err := <-failed:
			if !errors.Is(err, front.ErrSlowReader) {
				t.Errorf("length %q: the write ended with %v", length, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("length %q: it still waits", length)
		}
	}
}

func TestFront_DrainLosesNoRequestOfTheLane(t *testing.T) {
	var onLanes atomic.Int64
	h := newHouse(t, settings(), func(w http.ResponseWriter, r *http.Request) {
		if onLane(r) {
			onLanes.Add(1)
		}
		if r.Header.Get("X-Done") != "" {
			r.Context().Done()
		}
		echo(w, r)
	})
	texts := []string{
		getRoot,
		"GET /done HTTP/1.1\r\nHost: a.test\r\nX-Done: 1\r\n\r\n",
		"POST /p HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello",
		"POST /c HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	}
	var answered, lost atomic.Int64
	var visitors sync.WaitGroup
	for i := range 12 {
		visitors.Go(func() {
			for n := 0; ; {
				c, err := net.Dial("tcp", h.address)
				if err != nil {
					return // nobody listens any more
				}
				c.SetDeadline(time.Now().Add(20 * time.Second))
				r := bufio.NewReader(c)
				for close := false; !close; n++ {
					// One in ten is handed over, so that most connections stay on the lane a while.
					text := texts[n%3]
					if (n+i)%10 == 0 {
						text = texts[3]
					}
					_, err := io.WriteString(c, text)
					var res *http.Response
					if err == nil {
						res, err = http.ReadResponse(r, nil)
					}
					if err == nil {
						_, err = io.Copy(io.Discard, res.Body)
						close = res.Close
					}
					if err != nil {
						lost.Add(1)
						t.Logf("lost: %v", err)
						break
					}
					answered.Add(1)
				}
				c.Close()
			}
		})
	}
	deadline := time.Now().Add(10 * time.Second)
	for answered.Load() < 2000 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	err := h.front.Drain(t.Context(), config.Drain{AcceptGrace: seconds(0.1), Timeout: seconds(10)}, front.Hooks{})
	visitors.Wait()
	if err != nil || lost.Load() > 0 || onLanes.Load() == 0 {
		t.Errorf("drain: %v; %d requests were answered, %d of them on the lane, and %d lost", err, answered.Load(), onLanes.Load(), lost.Load())
	}
}

func TestFront_DrainClosesLanesThatWait(t *testing.T) {
	h := newHouse(t, settings(), echo)
	fresh, idle, half := h.dial(), h.dial(), h.dial()
	idle.send(getRoot)
	idle.answer()
	half.send("GET /half HTTP/1.1\r\n")
	drained := make(chan error, 1)
	go func() {
		drained <- h.front.Drain(t.Context(), config.Drain{Timeout: seconds(15)}, front.Hooks{})
	}()
	if !fresh.ended() || !idle.ended() {
		t.Error("a connection without request goes on")
	}
	half.send("Host: a.test\r\n\r\n")
	if res, body := half.answer(); !res.Close || body != `lane true: GET /half "" <nil>` {
		t.Errorf("the request under way: %q, close %v", body, res.Close)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}
