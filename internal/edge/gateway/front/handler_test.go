package front

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestMisdirected(t *testing.T) {
	tests := []struct {
		name, sni, host string
		want            bool
	}{
		{"the same name", "a.test", "a.test", false},
		{"the same name in other letters, with port and final dot", "a.test", "A.Test.:8443", false},
		{"another name", "a.test", "b.test", true},
		{"an address cannot be named in the handshake", "", "192.0.2.1:8443", false},
		{"nor can one of IPv6", "", "[2001:db8::1]", false},
		{"a name can", "", "a.test", true},
		{"no host at all", "a.test", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Host: tt.host, TLS: &tls.ConnectionState{ServerName: tt.sni}}
			if got := misdirected(r); got != tt.want {
				t.Errorf("misdirected: %v, want %v", got, tt.want)
			}
		})
	}
	if misdirected(&http.Request{Host: "a.test"}) {
		t.Error("plain HTTP has no handshake to differ from")
	}
}

func TestFront_ClientCertificates(t *testing.T) {
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.VerifiedChains) > 0 {
			io.WriteString(w, r.TLS.VerifiedChains[0][0].Subject.String())
		}
	})
	own := issue(t, "visitor")
	pool := x509.NewCertPool()
	pool.AddCert(own.Leaf)
	h.certs.replace()
	h.certs.conf.ClientCAs = pool
	h.certs.conf.ClientAuth = tls.RequireAndVerifyClientCert
	cfg := basicConfig()
	cfg.TLS.ClientCerts.Mode = "require"
	h.apply(cfg)

	for _, http2 := range []bool{false, true} {
		client := h.client(http2)
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{own}
		ask := func(host string) (int, string) {
			r, err := http.NewRequest("GET", "https://"+h.https(), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			return res.StatusCode, string(body)
		}
		if status, body := ask("front.test"); status != 200 || body != "CN=visitor" {
			t.Errorf("got %d %q", status, body)
		}
		if status, _ := ask("other.test"); status != http.StatusMisdirectedRequest {
			t.Errorf("a request for a host that the handshake did not name got %d, want 421", status)
		}
	}
	if _, err := h.client(false).Get("https://" + h.https()); err == nil {
		t.Error("a visitor without certificate got in")
	}
	// The visitor hears of it before the server has counted it.
	eventually(t, "the failed handshake to be counted", func() bool { return h.metric("evergate_server_errors_total", "tls_handshake") > 0 })
}

func TestFront_WithoutClientCertificatesAnyHostIsServed(t *testing.T) {
	h := newHouse(t, basicConfig(), hello)
	r, _ := http.NewRequest("GET", "https://"+h.https(), nil)
	r.Host = "other.test"
	res, err := h.client(true).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("got %s", res.Status)
	}
}

func TestFront_HandlerAloneServesWithoutConnectionState(t *testing.T) {
	f := New(Options{Handler: http.HandlerFunc(hello)})
	defer f.Close()
	w := httptest.NewRecorder()
	f.serve(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 200 {
		t.Errorf("got %d", w.Code)
	}
}

func TestFront_AnAnswerThatBreaksOffNeverLooksWhole(t *testing.T) {
	h := newHouse(t, basicConfig(), func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half of it")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	for _, version := range []string{"1.0", "1.1"} {
		t.Run("HTTP/"+version, func(t *testing.T) {
			w := h.dial()
			w.send("GET / HTTP/" + version + "\r\nHost: front.test\r\nConnection: close\r\n\r\n")
			res, err := http.ReadResponse(w.Reader, nil)
			if err == nil {
				_, err = io.ReadAll(res.Body)
			}
			if err == nil {
				t.Error("the visitor takes half of it for all")
			}
		})
	}
	if n := h.metric("evergate_connections_aborted_total", "cut"); n != 1 {
		t.Errorf("%v connections reset, want that of HTTP/1.0", n)
	}
}

func TestFront_CountsPanicsOfHandlers(t *testing.T) {
	h := newHouse(t, basicConfig(), func(http.ResponseWriter, *http.Request) { panic("ours") })
	w := h.dial()
	w.send(getRoot)
	if !w.ended() {
		t.Error("the connection goes on")
	}
	if n := h.metric("evergate_server_errors_total", "panic"); n != 1 {
		t.Errorf("%v panics counted, want 1", n)
	}
}
