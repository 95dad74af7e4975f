package front

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// v2 is a PROXY header of version 2 for a visitor.
func v2(t testing.TB, command proxyproto.ProtocolVersionAndCommand, visitor string) string {
	t.Helper()
	h := &proxyproto.Header{Version: 2, Command: command, TransportProtocol: proxyproto.UNSPEC}
	if visitor != "" {
		h.TransportProtocol = proxyproto.TCPv4
		if netip.MustParseAddrPort(visitor).Addr().Is6() {
			h.TransportProtocol = proxyproto.TCPv6
		}
		h.SourceAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort(visitor))
		h.DestinationAddr = h.SourceAddr
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func remote(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }

func TestFront_BelievesPROXYHeadersFromListedNetworksOnly(t *testing.T) {
	const listed, unlisted = "127.0.0.0/8", "10.0.0.0/8"
	tests := []struct {
		name, from, send string
		status           int    // 0: the connection is closed without an answer
		visitor          string // "": the peer
	}{
		{"version 1", listed, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n", 200, "192.0.2.7:4711"},
		{"version 1, IPv6", listed, "PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", 200, "[2001:db8::7]:4711"},
		{"version 1, a balancer's own check", listed, "PROXY UNKNOWN\r\n", 200, ""},
		{"version 2", listed, v2(t, proxyproto.PROXY, "192.0.2.7:4711"), 200, "192.0.2.7:4711"},
		{"version 2, IPv6", listed, v2(t, proxyproto.PROXY, "[2001:db8::7]:4711"), 200, "[2001:db8::7]:4711"},
		{"version 2, a balancer's own check", listed, v2(t, proxyproto.LOCAL, ""), 200, ""},
		{"no header where one is due", listed, "", 0, ""},
		{"a broken header", listed, "PROXY TCP4 192.0.2.7\r\n", 0, ""},
		{"an address that nobody has", listed, "PROXY TCP4 0.0.0.0 192.0.2.1 4711 80\r\n", 0, ""},
		{"version 1 from a stranger is a malformed request", unlisted, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n", 400, ""},
		{"version 2 from a stranger is a malformed request", unlisted, v2(t, proxyproto.PROXY, "192.0.2.7:4711"), 400, ""},
		{"no header from a stranger is as it should be", unlisted, "", 200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := basicConfig()
			cfg.Listen.ProxyProtocol.From = networks(tt.from)
			h := newHouse(t, cfg, remote)
			w := h.dial()
			w.send(tt.send + getRoot)
			if tt.status == 0 {
				if !w.ended() {
					t.Error("the connection goes on")
				}
				if n := h.metric("evergate_connections_refused_total", "proxy_header"); n != 1 {
					t.Errorf("%v connections counted as refused, want 1", n)
				}
				return
			}
			res := w.answer()
			if res.StatusCode != tt.status {
				t.Fatalf("got %s, want %d", res.Status, tt.status)
			}
			if tt.status != 200 {
				if !w.ended() {
					t.Error("the connection goes on after a malformed request")
				}
				return
			}
			body, _ := io.ReadAll(res.Body)
			if want := tt.visitor; want == "" && string(body) != w.LocalAddr().String() || want != "" && string(body) != want {
				t.Errorf("the visitor is %s, want %q", body, want)
			}
		})
	}
}

func TestFront_PROXYHeaderInFrontOfTLS(t *testing.T) {
	cfg := basicConfig()
	cfg.Listen.ProxyProtocol.From = networks("127.0.0.0/8")
	h := newHouse(t, cfg, remote)
	raw, err := net.Dial("tcp", h.https())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	io.WriteString(raw, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")
	secure := tls.Client(raw, &tls.Config{RootCAs: h.certs.pool(), ServerName: "front.test"})
	io.WriteString(secure, getRoot)
	res, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); string(body) != "192.0.2.7:4711" {
		t.Errorf("the visitor is %s", body)
	}
}

func TestFront_APeerThatNeverSendsItsPROXYHeaderIsDropped(t *testing.T) {
	cfg := basicConfig()
	cfg.Listen.ProxyProtocol.From = networks("127.0.0.0/8")
	cfg.Listen.ProxyProtocol.Timeout = seconds(0.15)
	h := newHouse(t, cfg, remote)
	for _, part := range []string{"", "PROX", v2(t, proxyproto.PROXY, "192.0.2.7:1")[:20]} {
		w := h.dial()
		w.send(part)
		if !w.ended() {
			t.Errorf("after %q the connection goes on", part)
		}
	}
	if n := h.metric("evergate_connections_refused_total", "proxy_timeout"); n != 3 {
		t.Errorf("%v connections counted as too late, want 3", n)
	}
}

func TestFront_TheTimeForThePROXYHeaderIsClearedAfterwards(t *testing.T) {
	const timeout = 0.1
	cfg := basicConfig()
	cfg.Listen.ProxyProtocol.From = networks("127.0.0.0/8")
	cfg.Listen.ProxyProtocol.Timeout = seconds(timeout)
	h := newHouse(t, cfg, remote)
	w := h.dial()
	w.send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\nGET / HTTP/1.1\r\n")
	// The rest comes when the time for the PROXY header is long over: an event
	// to wait for would be the deadline that must not strike.
	<-time.After(3 * time.Duration(timeout*float64(time.Second)))
	w.send("Host: front.test\r\n\r\n")
	if res := w.answer(); res.StatusCode != 200 {
		t.Errorf("got %s", res.Status)
	}
}

func TestFront_CountsConnectionsByTheAddressInThePROXYHeader(t *testing.T) {
	cfg := basicConfig()
	cfg.Listen.ProxyProtocol.From = networks("127.0.0.0/8")
	cfg.Limits.ConnectionsPerIP = 1
	h := newHouse(t, cfg, remote)
	open := func(visitor string) *wire {
		w := h.dial()
		w.send(fmt.Sprintf("PROXY TCP4 %s 192.0.2.1 4711 80\r\n", visitor) + getRoot)
		return w
	}
	if res := open("192.0.2.7").answer(); res.StatusCode != 200 {
		t.Errorf("the first got %s", res.Status)
	}
	if res := open("192.0.2.8").answer(); res.StatusCode != 200 {
		t.Errorf("somebody else behind the same balancer got %s", res.Status)
	}
	if !open("192.0.2.7").ended() {
		t.Error("the second connection of one visitor was admitted")
	}
}

func FuzzReadIntroduction(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\nGET /"))
	f.Add([]byte("PROXY UNKNOWN ffff::ff\r\n"))
	f.Add([]byte(v2(f, proxyproto.PROXY, "192.0.2.7:4711") + "x"))
	f.Add([]byte(v2(f, proxyproto.PROXY, "[2001:db8::7]:4711")))
	f.Add([]byte(v2(f, proxyproto.LOCAL, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		source, _, err := readIntroduction(bufio.NewReaderSize(bytes.NewReader(b), proxyBuffer))
		if err != nil || source == nil {
			return
		}
		if a := addressOf(source); !a.IsValid() || a.IsUnspecified() || a.Is4In6() {
			t.Errorf("believed that the visitor is %v", a)
		}
	})
}
