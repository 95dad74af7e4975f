package front

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/evergate/evergate/internal/config"
)

func http3Config() *config.Config {
	cfg := basicConfig()
	cfg.Listen.HTTP3 = true
	return cfg
}

// http3Client returns a client that speaks HTTP/3 only.
func (h *house) http3Client() *http.Client {
	transport := &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: h.certs.pool(), ServerName: "front.test"}}
	h.t.Cleanup(func() { transport.Close() })
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func TestFront_HTTP3(t *testing.T) {
	h := newHouse(t, http3Config(), func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s, %d bytes, from %v", r.Proto, n, r.RemoteAddr != "")
	})
	url := "https://" + h.https()
	res, err := h.http3Client().Post(url, "text/plain", bytes.NewReader(make([]byte, 300<<10)))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if string(body) != "HTTP/3.0, 307200 bytes, from true" {
		t.Errorf("got %q", body)
	}
	if n := h.metric("evergate_connections_accepted_total", "http3"); n != 1 {
		t.Errorf("%v connections counted, want 1", n)
	}
}

func TestFront_AnnouncesHTTP3OnlyWhileItListens(t *testing.T) {
	h := newHouse(t, http3Config(), hello)
	_, port, _ := net.SplitHostPort(h.https())
	announced := func(url string) string {
		res, err := h.client(true).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.Header.Get("Alt-Svc")
	}
	if got, want := announced("https://"+h.https()), `h3=":`+port+`"; ma=86400`; got != want {
		t.Errorf("Alt-Svc %q, want %q", got, want)
	}
	res, err := h.client(false).Get("http://" + h.http())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Alt-Svc"); got != "" {
		t.Errorf("Alt-Svc %q on plain HTTP", got)
	}
	h.apply(basicConfig())
	if got := announced("https://" + h.https()); got != "" {
		t.Errorf("Alt-Svc %q though HTTP/3 is off", got)
	}
	eventually(t, "UDP is closed", func() bool {
		a, _ := net.ResolveUDPAddr("udp", h.https())
		c, err := net.ListenUDP("udp", a)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	h.apply(http3Config())
	if got, _ := get(t, h.http3Client(), "https://"+h.https()); got != 200 {
		t.Errorf("HTTP/3 switched on again answers %d", got)
	}
}

func TestFront_HTTP3ConnectionsSurviveAReload(t *testing.T) {
	h := newHouse(t, http3Config(), hello)
	client := h.http3Client()
	get(t, client, "https://"+h.https())
	cfg := http3Config()
	cfg.Limits.HeaderBytes = 2 << 10
	h.apply(cfg)
	get(t, client, "https://"+h.https())
	if n := h.metric("evergate_connections_accepted_total", "http3"); n != 1 {
		t.Errorf("%v connections, want the one from before the reload", n)
	}
}

func TestFront_HTTP3ConnectionsAreLimited(t *testing.T) {
	cfg := http3Config()
	cfg.Limits.ConnectionsPerIP = 1
	h := newHouse(t, cfg, hello)
	first := h.http3Client()
	get(t, first, "https://"+h.https())
	if _, err := h.http3Client().Get("https://" + h.https()); err == nil {
		t.Error("a second connection was served")
	}
}

func TestFront_DrainsHTTP3(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	h := newHouse(t, http3Config(), func(w http.ResponseWriter, r *http.Request) {
		close(reached)
		<-release
		hello(w, r)
	})
	status := make(chan int, 1)
	client, url := h.http3Client(), "https://"+h.https()
	go func() {
		s, _ := get(t, client, url)
		status <- s
	}()
	<-reached
	drained := make(chan error, 1)
	go func() { drained <- h.front.Drain(context.Background(), config.Drain{Timeout: seconds(3)}, Hooks{}) }()
	eventually(t, "nothing more is accepted", func() bool {
		c, err := net.Dial("tcp", url[len("https://"):])
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(release)
	if s := <-status; s != 200 {
		t.Errorf("the request under way got %d", s)
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestFront_ResetsAnHTTP3StreamWhoseWindowStaysShut(t *testing.T) {
	ended := make(chan error, 1)
	h := newHouse(t, quickLimits(http3Config()), func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 32<<10)
		for {
			if _, err := w.Write(b); err != nil {
				ended <- err
				return
			}
		}
	})
	transport := &http3.Transport{
		TLSClientConfig: &tls.Config{RootCAs: h.certs.pool(), ServerName: "front.test"},
		QUICConfig:      &quic.Config{InitialStreamReceiveWindow: 16 << 10, MaxStreamReceiveWindow: 16 << 10},
	}
	defer transport.Close()
	res, err := (&http.Client{Transport: transport}).Get("https://" + h.https())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := <-ended; err == nil {
		t.Error("the handler was told nothing")
	}
	if n := h.metric("evergate_streams_stalled_total", ""); n != 1 {
		t.Errorf("%v streams counted, want 1", n)
	}
}

func TestFront_HTTP3VisitorsAreAskedToGo(t *testing.T) {
	tests := []struct {
		name   string
		change func(h *house) // what makes them go
	}{
		{"when HTTP/3 is switched off", func(h *house) { h.apply(basicConfig()) }},
		{"when TLS asks something else of visitors", func(h *house) { h.certs.replace(); h.apply(http3Config()) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reached, release := make(chan struct{}), make(chan struct{})
			h := newHouse(t, http3Config(), func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/long" {
					close(reached)
					<-release
				}
				hello(w, r)
			})
			client, url := h.http3Client(), "https://"+h.https()
			answer := make(chan string, 1)
			go func() {
				res, err := client.Get(url + "/long")
				if err != nil {
					answer <- err.Error()
					return
				}
				defer res.Body.Close()
				answer <- res.Status
			}()
			<-reached
			tt.change(h)
			close(release)
			if got := <-answer; got != "200 OK" {
				t.Errorf("the request under way got %s", got)
			}
			// Their connections end long before the idle time is over.
			eventually(t, "nobody is left", func() bool { return len(h.front.quicVisitors(everyQUIC)) == 0 })
		})
	}
}
