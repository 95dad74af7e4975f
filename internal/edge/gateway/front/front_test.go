package front

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/evergate/evergate/internal/config"
)

// house is a front under test with what its tests look at.
type house struct {
	t        testing.TB
	front    *Front
	certs    *testCerts
	registry *prometheus.Registry
	memory   atomic.Uint64
}

// newHouse returns a front for handler that listens as cfg says until the test ends.
func newHouse(t testing.TB, cfg *config.Config, handler http.HandlerFunc) *house {
	t.Helper()
	h := &house{t: t, certs: newTestCerts(t), registry: prometheus.NewRegistry()}
	h.front = New(Options{
		Handler:      handler,
		Certificates: h.certs,
		Log:          slog.New(slog.DiscardHandler),
		Registerer:   h.registry,
		Memory:       h.memory.Load,
	})
	h.front.ladder.cgroup = func() int64 { return 0 }
	h.front.ladder.setMemoryLimit = func(int64) int64 { return 0 }
	t.Cleanup(func() { h.front.Close() })
	h.apply(cfg)
	return h
}

func (h *house) apply(cfg *config.Config) {
	h.t.Helper()
	if err := h.front.Apply(cfg); err != nil {
		h.t.Fatalf("apply: %v", err)
	}
}

// http and https are the addresses of the first listener of each kind.
func (h *house) http() string {
	plain, _ := h.front.Addresses()
	return plain[0]
}

func (h *house) https() string {
	_, secure := h.front.Addresses()
	return secure[0]
}

// metric returns the value of a counter or gauge, of the child whose only label
// has the value label; "" for one without labels.
func (h *house) metric(name, label string) float64 {
	h.t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); label == "" || len(labels) == 1 && labels[0].GetValue() == label {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

// eventually waits until ok holds: for what other goroutines do without an event.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// basicConfig has one listener of each kind and the defaults of the guide.
func basicConfig() *config.Config {
	return &config.Config{
		Listen: config.Listen{
			HTTP:          config.StringList{"127.0.0.1:0"},
			HTTPS:         config.StringList{"127.0.0.1:0"},
			ProxyProtocol: config.ProxyProtocol{Timeout: seconds(5)},
		},
		Limits: config.Limits{
			HeaderBytes: 16 << 10, HeaderFields: 100, TargetBytes: 8 << 10,
			HeaderTimeout: seconds(10), IdleTimeout: seconds(60),
			Response:         config.ResponseLimits{IdleTimeout: seconds(30), MinRate: 500, Grace: seconds(10)},
			ConnectionsPerIP: 512, HTTP2Streams: 100, HTTP2Resets: 200,
		},
		Drain: config.Drain{Timeout: seconds(10)},
	}
}

func seconds(n float64) config.Duration { return config.Duration(n * float64(time.Second)) }

func networks(list ...string) (all []config.Prefix) {
	for _, n := range list {
		all = append(all, config.Prefix{Prefix: netip.MustParsePrefix(n)})
	}
	return all
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello over %s", r.Proto) }

// get asks for url with client and returns status and body.
func get(t testing.TB, client *http.Client, url string) (int, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// client returns an HTTP client that trusts the test's certificates.
func (h *house) client(http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.certs.pool(), ServerName: "front.test"},
		Protocols:       protocols,
	}
	h.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// wire is a raw HTTP/1 connection.
type wire struct {
	t testing.TB
	net.Conn
	*bufio.Reader
}

func (h *house) dial() *wire {
	h.t.Helper()
	return h.dialBy(new(net.Dialer))
}

// dialNarrow is dial with a window that is small from the beginning: one that is
// made small later takes a large piece at first and then nothing for a while.
func (h *house) dialNarrow() *wire {
	h.t.Helper()
	return h.dialBy(&net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) }); e != nil {
			return e
		}
		return err
	}})
}

func (h *house) dialBy(d *net.Dialer) *wire {
	h.t.Helper()
	c, err := d.Dial("tcp", h.http())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{h.t, c, bufio.NewReader(c)}
}

func (w *wire) Read(b []byte) (int, error) { return w.Reader.Read(b) }

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.Conn, text); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads a response whole.
func (w *wire) answer() *http.Response {
	w.t.Helper()
	res, err := http.ReadResponse(w.Reader, nil)
	if err != nil {
		w.t.Fatalf("read the answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("read the body: %v", err)
	}
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res
}

// ended reports whether the other side closed the connection.
func (w *wire) ended() bool {
	_, err := w.Reader.ReadByte()
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

const getRoot = "GET / HTTP/1.1\r\nHost: front.test\r\n\r\n"

func TestFront_ServesEveryProtocolItListensFor(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	tests := []struct {
		name   string
		client *http.Client
		url    string
		want   string
	}{
		{"HTTP/1.1 on plain TCP", h.client(false), "http://" + h.http(), "hello over HTTP/1.1"},
		{"HTTP/1.1 over TLS", h.client(false), "https://" + h.https(), "hello over HTTP/1.1"},
		{"HTTP/2 over TLS", h.client(true), "https://" + h.https(), "hello over HTTP/2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if status, body := get(t, tt.client, tt.url); status != 200 || body != tt.want {
				t.Errorf("got %d %q, want 200 %q", status, body, tt.want)
			}
		})
	}
}

func TestFront_SpeaksNoHTTP2WithoutTLS(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	w := h.dial()
	w.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if res := w.answer(); res.StatusCode != 505 {
		t.Errorf("the HTTP/2 preface on plain TCP was answered %s, want 505", res.Status)
	}
}

func TestFront_ApplyKeepsConnectionsAndChangesLimitsForNewOnes(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	address := h.http()
	old := h.dial()
	old.send(getRoot)
	old.answer()

	cfg := basicConfig()
	cfg.Limits.HeaderBytes = 1 << 10
	h.apply(cfg)

	if h.http() != address {
		t.Fatalf("the listener moved from %s to %s", address, h.http())
	}
	large := "GET / HTTP/1.1\r\nHost: front.test\r\nX-Large: " + strings.Repeat("x", 8<<10) + "\r\n\r\n"
	old.send(large)
	if res := old.answer(); res.StatusCode != 200 || res.Close {
		t.Errorf("a connection from before the reload got %s (close: %v), want 200 under the limits it was born with", res.Status, res.Close)
	}
	fresh := h.dial()
	fresh.send(large)
	if res := fresh.answer(); res.StatusCode != 431 {
		t.Errorf("a connection from after the reload got %s, want 431", res.Status)
	}
	old.Conn.Close()
	eventually(t, "the generation of the old settings has ended", func() bool {
		h.front.mu.Lock()
		defer h.front.mu.Unlock()
		return len(h.front.old) == 1 && h.front.old[0].ended()
	})
}

func TestFront_ApplyWithAnErrorLeavesEverythingAsItWas(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	plain, secure := h.front.Addresses()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := free.Addr().String()
	free.Close()

	cfg := basicConfig()
	cfg.Listen.HTTP = config.StringList{unused, taken.Addr().String()}
	cfg.Listen.HTTPS = nil
	if err := h.front.Apply(cfg); !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("apply: %v, want the system's word that the address is in use", err)
	}
	h.certs.err = errors.New("no such file")
	if err := h.front.Apply(basicConfig()); err == nil {
		t.Fatal("apply with broken TLS settings succeeded")
	}
	nowPlain, nowSecure := h.front.Addresses()
	if nowPlain[0] != plain[0] || nowSecure[0] != secure[0] {
		t.Errorf("listens on %v %v, want %v %v", nowPlain, nowSecure, plain, secure)
	}
	if status, _ := get(t, h.client(true), "https://"+secure[0]); status != 200 {
		t.Errorf("https answers %d", status)
	}
	if c, err := net.Dial("tcp", unused); err == nil {
		c.Close()
		t.Errorf("%s is still open", unused)
	}
}

func TestFront_ARemovedListenerFinishesItsRequests(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			close(reached)
			<-release
		}
		hello(w, r)
	})
	address := h.http()
	busy, idle := h.dial(), h.dial()
	idle.send(getRoot)
	idle.answer()
	busy.send("GET /long HTTP/1.1\r\nHost: front.test\r\n\r\n")
	<-reached

	cfg := basicConfig()
	cfg.Listen.HTTP = nil
	h.apply(cfg)
	eventually(t, "nobody listens any more", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(release)
	if res := busy.answer(); res.StatusCode != 200 {
		t.Errorf("the request under way got %s", res.Status)
	}
	idle.send(getRoot)
	if res := idle.answer(); res.StatusCode != 200 || !res.Close {
		t.Errorf("the next request of a kept connection got %s (close: %v), want 200 and the end", res.Status, res.Close)
	}
}

func TestFront_AnAddressMayChangeOnTheSamePort(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	_, port, _ := net.SplitHostPort(h.http())
	// The port was chosen by the system: first name it, then change the address.
	h.front.Close()
	cfg := basicConfig()
	cfg.Listen = config.Listen{HTTP: config.StringList{":" + port}}
	h = newHouse(t, cfg, hello)

	cfg = basicConfig()
	cfg.Listen = config.Listen{HTTP: config.StringList{"127.0.0.1:" + port}}
	h.apply(cfg)
	if status, _ := get(t, h.client(false), "http://127.0.0.1:"+port); status != 200 {
		t.Errorf("the narrower address answers %d", status)
	}
	if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
		l.Close()
		t.Error("somebody else could listen on our port")
	}
}

func TestFront_AnAddressMayComeBackAtOnce(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	address := h.http()
	h.front.Close()
	cfg := basicConfig()
	cfg.Listen = config.Listen{HTTP: config.StringList{address}}
	h = newHouse(t, cfg, hello)
	without := basicConfig()
	without.Listen = config.Listen{HTTP: config.StringList{"127.0.0.1:0"}}
	for range 3 {
		h.apply(without)
		h.apply(cfg) // while the one before still takes its last visitors
	}
	if status, _ := get(t, h.client(false), "http://"+address); status != 200 {
		t.Errorf("the address that came back answers %d", status)
	}
}

func TestFront_ASocketMayTurnFromHTTPToHTTPS(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	address := h.http()
	h.front.Close()
	cfg := basicConfig()
	cfg.Listen = config.Listen{HTTP: config.StringList{address}}
	h = newHouse(t, cfg, hello)
	cfg = basicConfig()
	cfg.Listen = config.Listen{HTTPS: config.StringList{address}}
	h.apply(cfg)
	if status, body := get(t, h.client(true), "https://"+address); status != 200 || body != "hello over HTTP/2.0" {
		t.Errorf("got %d %q", status, body)
	}
}

func TestFront_ChangedTLSAsksOldVisitorsToConnectAnew(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	client := h.client(false)
	address := "https://" + h.https()
	get(t, client, address)
	h.certs.replace()
	h.apply(basicConfig())
	res, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if !res.Close {
		t.Error("a connection under the old TLS settings goes on")
	}
}

func TestFront_AfterCloseNothingListens(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	address := h.http()
	h.front.Close()
	h.front.Close()
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Error("still listens")
	}
	if err := h.front.Apply(basicConfig()); !errors.Is(err, ErrDrained) {
		t.Errorf("apply after close: %v, want ErrDrained", err)
	}
}

func TestFront_HTTPSWithoutCertificatesIsAnError(t *testing.T) {
	f := New(Options{Handler: http.HandlerFunc(hello)})
	defer f.Close()
	if err := f.Apply(basicConfig()); err == nil {
		t.Error("apply succeeded")
	}
}
