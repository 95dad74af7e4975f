package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// listenHTTP3 serves the door over QUIC and returns its address and a client.
func (d *door) listenHTTP3() (address string, client *http3.Transport) {
	d.t.Helper()
	lent := httptest.NewTLSServer(d) // for its certificate
	d.t.Cleanup(lent.Close)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	server := &http3.Server{Handler: d, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: lent.TLS.Certificates, MinVersion: tls.VersionTLS13})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(pc) // ends with Close
	}()
	roots := x509.NewCertPool()
	roots.AddCert(lent.Certificate())
	client = &http3.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
	d.t.Cleanup(func() {
		client.Close()
		server.Close()
		pc.Close()
		<-ended
	})
	return pc.LocalAddr().String(), client
}

func TestHTTP3_RequestsReachTheServerAsTheyAre(t *testing.T) {
	for _, tt := range []struct {
		method, body string
		length       int64
	}{{"GET", "", 0}, {"HEAD", "", 0}, {"POST", "known", 5}, {"POST", "unknown", -1}} {
		d := newDoor(t, plain)
		address, client := d.listenHTTP3()
		var body io.Reader
		if tt.body != "" {
			body = strings.NewReader(tt.body)
		}
		r, err := http.NewRequest(tt.method, "https://"+address+"/a", body)
		if err != nil {
			t.Fatal(err)
		}
		if tt.length < 0 {
			r.Body, r.ContentLength = io.NopCloser(body), -1
		}
		r.Host = "shop.test"
		res, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		x, got := d.seen(), d.servers.last()
		if res.StatusCode != 200 || got.ContentLength != tt.length || d.servers.bodies[0] != tt.body || x.Proto != "HTTP/3.0" || x.Scheme != "https" {
			t.Errorf("%s %q: %d, the server got %q of %d; exchange %+v", tt.method, tt.body, res.StatusCode, d.servers.bodies[0], got.ContentLength, x)
		}
	}
}
