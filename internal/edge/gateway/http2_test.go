package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// listenHTTP2 serves the door over TLS with HTTP/2.
func (d *door) listenHTTP2() *httptest.Server {
	d.t.Helper()
	s := httptest.NewUnstartedServer(d)
	s.EnableHTTP2 = true
	s.StartTLS()
	d.t.Cleanup(s.Close)
	return s
}

func TestHTTP2_ExtendedConnect(t *testing.T) {
	d := newDoor(t, plain)
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) { // echoes lines, as a tunnel would
		w.WriteHeader(200)
		_ = http.NewResponseController(w).Flush()
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	}
	s := d.listenHTTP2()
	out, in := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "CONNECT", s.URL+"/chat?room=1", out)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	r.Header[protocolField] = []string{"websocket"}
	r.Header.Set("Accept-Encoding", "gzip")
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	client := &http2.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}} // net/http's own takes no ":protocol"
	defer client.CloseIdleConnections()
	res, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := d.servers.last(); res.StatusCode != 200 || got.URL.RawPath != "/chat" || got.URL.RawQuery != "room=1" || got.Header[protocolField][0] != "websocket" {
		t.Fatalf("%d, the server got %+v", res.StatusCode, got)
	}
	lines := bufio.NewReader(res.Body)
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(in, line); err != nil {
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); got != line {
			t.Fatalf("%q, %v", got, err)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestHTTP2_ABodyThatStopsIsLate(t *testing.T) {
	d := newDoor(t, `limits: {body: {idle_timeout: 100ms}}
`+plain)
	d.servers.answer = func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			d.Refuse(w, r, 408, "body_timeout", 0)
		}
	}
	s := d.listenHTTP2()
	out, in := io.Pipe()
	defer in.Close()
	go func() { _, _ = io.WriteString(in, "half") }()
	r, err := http.NewRequest("POST", s.URL, out)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if x := d.seen(); res.StatusCode != 408 || res.Header.Get("Connection") != "" || x.BytesIn != 4 {
		t.Errorf("%d %v, exchange %+v", res.StatusCode, res.Header, x)
	}
}

func TestHTTP2_AVisitorWhoLeavesIsGone(t *testing.T) {
	d := newDoor(t, plain)
	entered := make(chan struct{})
	d.servers.answer = func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	s := d.listenHTTP2()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "shop.test"
	go func() {
		<-entered
		cancel()
	}()
	if res, err := s.Client().Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", res, err)
	}
	if x := d.seen(); x.Status != 499 || x.Proto != "HTTP/2.0" || x.Scheme != "https" || x.TLS.Version == 0 {
		t.Errorf("%+v", x)
	}
}
