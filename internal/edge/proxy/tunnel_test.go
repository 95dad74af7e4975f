package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"

	"github.com/evergate/evergate/internal/edge/proxy/upstream/upstreamtest"
)

// echoes is a websocket server that sends back what it gets. How its side of
// each connection ended goes to ended.
func echoes(tb testing.TB) (addr string, ended chan error) {
	ended = make(chan error, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			kind, data, err := c.Read(context.WithoutCancel(r.Context()))
			if err != nil {
				ended <- err
				_ = c.CloseNow()
				return
			}
			if err := c.Write(r.Context(), kind, data); err != nil {
				return
			}
		}
	}))
	tb.Cleanup(s.Close)
	return s.Listener.Addr().String(), ended
}

// dial opens a websocket through the door.
func (d *door) dial(path string) *websocket.Conn {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(d.tb.Context(), patience)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, "ws://"+d.addr+path, &websocket.DialOptions{HTTPClient: d.client})
	if err != nil {
		d.tb.Fatalf("open a websocket: %v (%v)", err, resp)
	}
	return c
}

// echo sends a message and wants it back.
func echo(tb testing.TB, c *websocket.Conn, message string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		tb.Fatal(err)
	}
	if _, got, err := c.Read(ctx); err != nil || string(got) != message {
		tb.Fatalf("got %d bytes back, %v", len(got), err)
	}
}

func TestProxy_AWebsocketIsATunnel(t *testing.T) {
	addr, ended := echoes(t)
	d := open(t, setup{servers: []string{addr}})
	c := d.dial("/")
	c.SetReadLimit(1 << 20)
	echo(t, c, "hello")
	echo(t, c, strings.Repeat("long ", 6000))
	if n := d.metric("evergate_tunnels"); n != 1 {
		t.Errorf("%v tunnels, want 1", n)
	}
	if n := d.proxy.origins["app"].budget.requests.Load(); n != 0 {
		t.Errorf("an open tunnel counts as %d requests under way, which would let more retries through", n)
	}
	if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		t.Error(err)
	}
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the server saw %v", err)
	}
	x := d.next()
	if x.Status != 101 || !x.Upgraded || x.Abort != "" || x.words() != "5 success 101" || x.BytesIn < 30000 || x.BytesOut < 30000 {
		t.Errorf("status %d, upgraded %v, abort %q, %s, bytes %d in, %d out", x.Status, x.Upgraded, x.Abort, x.words(), x.BytesIn, x.BytesOut)
	}
	if d.metric("evergate_tunnels") != 0 {
		t.Error("the tunnel is still counted")
	}
}

func TestProxy_AnUpgradeIsRetriedOnlyWhileNothingWasSent(t *testing.T) {
	addr, _ := echoes(t)
	d := open(t, setup{servers: []string{refused(t), addr}})
	c := d.dial("/")
	echo(t, c, "hello")
	_ = c.CloseNow()
	if x := d.next(); x.words() != "0 connect retried, 5 success 101" {
		t.Error(x.words())
	}
	for _, bad := range []string{serve(t, resets).Address, serve(t, answers(503, "", "Retry-After: 0")).Address} {
		d := open(t, setup{servers: []string{bad, addr}, origin: "retry: {idempotent: true}"})
		if c, _, err := websocket.Dial(t.Context(), "ws://"+d.addr+"/", nil); err == nil {
			_ = c.CloseNow()
			t.Error("an upgrade was retried that a server had seen")
		}
		if x := d.next(); len(x.Attempts) != 1 || x.RetryDenied != whyMethod {
			t.Errorf("%s, denied %q", x.words(), x.RetryDenied)
		}
		d.close()
	}
}

func TestProxy_AnUpgradeThatIsDeclinedIsAnAnswer(t *testing.T) {
	d := open(t, setup{servers: []string{serve(t, answers(403, "no")).Address}})
	r, x := d.get("Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version", "13")
	if r.StatusCode != 403 || r.content != "no" || x.Upgraded {
		t.Errorf("%d %q, upgraded %v", r.StatusCode, r.content, x.Upgraded)
	}
}

func TestProxy_A101ThatNobodyAskedForIsRubbish(t *testing.T) {
	d := open(t, setup{servers: []string{serve(t, says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")).Address}, origin: "retry: {attempts: 1}"})
	if r, x := d.get(); r.StatusCode != 502 || x.words() != "3 bad_response" {
		t.Errorf("%d, %s", r.StatusCode, x.words())
	}
}

// upgraded opens a tunnel of a protocol that is no websocket.
func (d *door) upgraded() (*net.TCPConn, *bufio.Reader) {
	d.tb.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.tb.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\nearly ")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "raw" || resp.Header.Get("X-Own") != "1" {
		d.tb.Fatalf("%v, %+v", err, resp)
	}
	return c.(*net.TCPConn), r
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: raw\r\nX-Own: 1\r\n\r\n"

// listen is a server that does script once it has read the head of a request.
func listen(tb testing.TB, script func(c *net.TCPConn, r *bufio.Reader)) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err == nil {
			script(c.(*net.TCPConn), r)
		}
	})
	tb.Cleanup(func() { _ = ln.Close(); running.Wait() })
	return ln.Addr().String()
}

func TestProxy_AHalfClosedTunnelGoesOnInTheOtherDirection(t *testing.T) {
	t.Run("the visitor has said all", func(t *testing.T) {
		server := listen(t, func(c *net.TCPConn, r *bufio.Reader) {
			_, _ = io.WriteString(c, switching+"first ")
			got, _ := io.ReadAll(r)
			_, _ = io.WriteString(c, "you said "+string(got))
		})
		d := open(t, setup{servers: []string{server}})
		c, r := d.upgraded()
		_, _ = io.WriteString(c, "late")
		_ = c.CloseWrite()
		if got, err := io.ReadAll(r); string(got) != "first you said early late" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		_ = c.Close()
		if x := d.next(); x.Abort != "" || x.BytesIn != 10 || x.BytesOut != 25 {
			t.Errorf("abort %q, %d in, %d out", x.Abort, x.BytesIn, x.BytesOut)
		}
	})
	t.Run("the server has said all", func(t *testing.T) {
		heard := make(chan string, 1)
		server := listen(t, func(c *net.TCPConn, r *bufio.Reader) {
			_, _ = io.WriteString(c, switching+"bye")
			_ = c.CloseWrite()
			got, _ := io.ReadAll(r)
			heard <- string(got)
		})
		d := open(t, setup{servers: []string{server}})
		c, r := d.upgraded()
		if got, err := io.ReadAll(r); string(got) != "bye" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		_, _ = io.WriteString(c, "still here")
		_ = c.Close()
		if got := <-heard; got != "early still here" {
			t.Errorf("the server heard %q", got)
		}
		d.next()
	})
}

func TestProxy_ATunnelThatIsIdleIsCut(t *testing.T) {
	addr, ended := echoes(t)
	d := open(t, setup{servers: []string{addr}, route: "tunnel_idle: 1s"})
	c := d.dial("/")
	began := time.Now()
	for time.Since(began) < 1500*time.Millisecond {
		echo(t, c, "hello")
		<-time.After(100 * time.Millisecond)
	}
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("a message came")
	}
	<-ended
	if x := d.next(); x.Abort != abortIdle || x.Status != 101 {
		t.Errorf("abort %q, status %d", x.Abort, x.Status)
	}
}

func TestProxy_TheEndOfOneSideEndsTheOther(t *testing.T) {
	for _, who := range []string{"visitor", "server"} {
		t.Run(who, func(t *testing.T) {
			addr, ended := echoes(t)
			d := open(t, setup{servers: []string{addr}})
			c := d.dial("/")
			echo(t, c, "hello")
			if who == "visitor" {
				_ = c.CloseNow()
				if err := <-ended; err == nil {
					t.Error("the server saw no end")
				}
			} else {
				// A frame that is not allowed makes the server close the connection.
				_ = c.Write(t.Context(), websocket.MessageText, bytes.Repeat([]byte("x"), 64<<10))
				if _, _, err := c.Read(t.Context()); err == nil {
					t.Error("no end")
				}
				<-ended
			}
			d.next()
			_ = c.CloseNow()
		})
	}
}

func TestProxy_DrainSaysGoodbyeToBothEndsOfAWebsocket(t *testing.T) {
	addr, ended := echoes(t)
	d := open(t, setup{servers: []string{addr}})
	var list []*websocket.Conn
	for range 5 {
		c := d.dial("/")
		echo(t, c, "hello")
		list = append(list, c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	statuses := make(chan websocket.StatusCode, len(list))
	for _, c := range list {
		go func() {
			_, _, err := c.Read(t.Context())
			statuses <- websocket.CloseStatus(err)
		}()
	}
	d.proxy.DrainTunnels(ctx)
	for range list {
		if s := <-statuses; s != websocket.StatusGoingAway {
			t.Errorf("a visitor saw %d, want 1001", s)
		}
		if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("a server saw %v, want 1001", err)
		}
		d.next()
	}
	if d.metric("evergate_tunnels") != 0 || ctx.Err() != nil {
		t.Errorf("tunnels are left, or it took too long: %v", ctx.Err())
	}
}

func TestProxy_DrainCutsWhatDoesNotGo(t *testing.T) {
	server := upstreamtest.Serve(t, func(c *upstreamtest.Conn) {
		_ = c.Request()
		c.Say(switching)
		c.Gone()
	})
	d := open(t, setup{servers: []string{server.Address}})
	c, r := d.upgraded()
	eventually(t, "the tunnel is open", func() bool { return d.metric("evergate_tunnels") == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	d.proxy.DrainTunnels(ctx)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if got, err := io.ReadAll(r); len(got) > 0 {
		t.Errorf("no websocket, but got %q, %v", got, err)
	}
	_ = c.Close()
	if x := d.next(); x.Abort != abortDrain {
		t.Errorf("abort %q", x.Abort)
	}
}

func TestProxy_ATunnelThatOpensDuringTheDrainIsEndedToo(t *testing.T) {
	addr, ended := echoes(t)
	d := open(t, setup{servers: []string{addr}})
	d.proxy.DrainTunnels(t.Context()) // there are none
	c := d.dial("/")
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the visitor saw %v, want 1001", err)
	}
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the server saw %v, want 1001", err)
	}
	d.next()
}

func TestProxy_AWebsocketOverHTTP2(t *testing.T) {
	const switchOn = "http2xconnect=1"
	if !strings.Contains(os.Getenv("GODEBUG"), switchOn) { // net/http reads it when the process starts
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), "GODEBUG="+switchOn)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	addr, ended := echoes(t)
	d := open(t, setup{servers: []string{addr}})
	tr := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer tr.CloseIdleConnections()
	pr, pw := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "CONNECT", "http://"+d.addr+"/chat", pr)
	if err != nil {
		t.Fatal(err)
	}
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set("Sec-Websocket-Version", "13")
	resp, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Sec-Websocket-Accept") != "" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	hello := frame(1, true, []byte("hello"))
	for i := range 5 { // the mask of frame is 1, 2, 3, 4
		hello[6+i] ^= byte(1 + i%4)
	}
	_, _ = pw.Write(hello)
	got := make([]byte, 7)
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got[2:]) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	d.proxy.DrainTunnels(ctx)
	rest, _ := io.ReadAll(resp.Body)
	if !bytes.HasPrefix(rest, []byte{0x88, 2, 3, 233}) {
		t.Errorf("then % x, want a close frame of status 1001", rest)
	}
	_ = pw.Close()
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusGoingAway && !errors.Is(err, io.EOF) {
		t.Errorf("the server saw %v", err)
	}
	if x := d.next(); x.Status != 200 || !x.Upgraded || (x.Abort != "" && x.Abort != abortDrain) {
		t.Errorf("status %d, upgraded %v, abort %q", x.Status, x.Upgraded, x.Abort)
	}
}
