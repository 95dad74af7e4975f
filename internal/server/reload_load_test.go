package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestReload_TwentyTimesUnderLoad changes routes, servers and certificates
// twenty times, while visitors go on and a websocket, a download and an upload
// are open from the first reload to the last. No request may fail, and none of
// the three may be cut.
func TestReload_TwentyTimesUnderLoad(t *testing.T) {
	const rounds = 20
	dir := newDir(t)
	origins := [3]string{backend(t, "ok").URL, backend(t, "ok").URL, backend(t, "ok").URL}
	long := newStreams(t)
	authority := newAuthority(t)

	configure := func(round int) (string, *x509.Certificate) {
		cert := authority.issue(t, dir, round)
		return fmt.Sprintf(`
node: {data_dir: data}
listen: {https: "127.0.0.1:0", admin: ""}
tls: {files: [{cert: %[1]d.pem, key: %[1]d.key}]}
limits: {connections_per_ip: 0}
log: {access: {file: access.log}}
drain: {accept_grace: 0s, timeout: 30s}
origins:
  app: {servers: ["%[2]s", "%[3]s"]}
  long: {servers: ["%[4]s"]}
sites:
  - hosts: [door.example]
    routes:
      - {path: /*, origin: app}
      - {path: /long/*, origin: long}
      - {path: /round-%[1]d, respond: {body: "%[1]d"}}
`, round, origins[round%3], origins[(round+1)%3], long.server.URL), cert
	}
	text, _ := configure(0)
	d := open(t, dir, text)
	client := authority.client(d.addr.HTTPS[0])

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var load sync.WaitGroup
	var served atomic.Int64
	for i := range 8 {
		load.Go(func() {
			if i%2 == 0 { // the other half keep their connections over all reloads
				client := authority.client(d.addr.HTTPS[0])
				client.Transport.(*http.Transport).DisableKeepAlives = true
				hammer(ctx, t, client, &served)
				return
			}
			hammer(ctx, t, client, &served)
		})
	}
	long.begin(t, client)
	before := served.Load()
	for round := 1; round <= rounds; round++ {
		waitFor(t, "requests between two reloads", func() bool { return served.Load() > before+20 || t.Failed() })
		before = served.Load()
		text, cert := configure(round)
		write(t, dir, text)
		if result := d.server.Reload("test"); !result.OK {
			t.Fatalf("reload %d: %+v", round, result)
		}
		long.step(t, round)
		if got := presented(t, authority, d.addr.HTTPS[0]); !got.Equal(cert) {
			t.Errorf("after reload %d the certificate is number %s, want %s", round, got.SerialNumber, cert.SerialNumber)
		}
		if body, err := fetch(client, fmt.Sprintf("/round-%d", round)); err != nil || body != fmt.Sprint(round) {
			t.Errorf("the route of reload %d: %q, %v", round, body, err)
		}
	}
	cancel()
	load.Wait()
	long.finish(t, rounds)
	t.Logf("%d requests over %d reloads", served.Load(), rounds)
}

// hammer sends GET and POST in turn until ctx ends; each must succeed.
func hammer(ctx context.Context, t *testing.T, client *http.Client, served *atomic.Int64) {
	for n := 0; ctx.Err() == nil; n++ {
		method, body := http.MethodGet, io.Reader(nil)
		if n%2 == 1 {
			method, body = http.MethodPost, strings.NewReader("hello")
		}
		req, err := http.NewRequest(method, "https://door.example/", body)
		if err != nil {
			t.Error(err)
			return
		}
		got, err := do(client, req)
		if err != nil || got != "ok" {
			t.Errorf("a %s during the reloads: %q, %v", method, got, err)
			return
		}
		served.Add(1)
	}
}

func fetch(client *http.Client, path string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, "https://door.example"+path, nil)
	if err != nil {
		return "", err
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) (string, error) {
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(body), err
}

// streams are a websocket, a download and an upload that take one step at each
// reload and otherwise stay open.
type streams struct {
	server   *httptest.Server
	steps    chan string // what the download should send next
	uploaded chan string // what the upload has brought

	socket   *websocket.Conn
	download *http.Response
	upload   *io.PipeWriter
	answer   chan error // of the upload
}

func newStreams(t *testing.T) *streams {
	s := &streams{steps: make(chan string), uploaded: make(chan string, 1), answer: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/long/socket", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Errorf("accept the websocket: %v", err)
			return
		}
		defer c.CloseNow()
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), kind, message); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /long/download", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		for step := range s.steps {
			io.WriteString(w, step)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("POST /long/upload", func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1024)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				s.uploaded <- string(buf[:n])
			}
			if err == io.EOF {
				io.WriteString(w, "ok")
				return
			}
			if err != nil {
				t.Errorf("the upload was cut: %v", err)
				return
			}
		}
	})
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

func (s *streams) begin(t *testing.T, client *http.Client) {
	t.Helper()
	var err error
	s.socket, _, err = websocket.Dial(t.Context(), "https://door.example/long/socket", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	s.download, err = client.Get("https://door.example/long/download")
	if err != nil {
		t.Fatal(err)
	}
	body, upload := io.Pipe()
	s.upload = upload
	req, err := http.NewRequest(http.MethodPost, "https://door.example/long/upload", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := do(client, req)
		s.answer <- err
	}()
	s.step(t, 0)
}

// step moves each of the three on.
func (s *streams) step(t *testing.T, round int) {
	t.Helper()
	word := fmt.Sprintf("step %03d;", round)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.socket.Write(ctx, websocket.MessageText, []byte(word)); err != nil {
		t.Fatalf("write to the websocket after reload %d: %v", round, err)
	}
	if _, got, err := s.socket.Read(ctx); err != nil || string(got) != word {
		t.Fatalf("read from the websocket after reload %d: %q, %v", round, got, err)
	}
	select {
	case s.steps <- word:
	case <-ctx.Done():
		t.Fatalf("after reload %d the download's server does not listen", round)
	}
	got := make([]byte, len(word))
	if _, err := io.ReadFull(s.download.Body, got); err != nil || string(got) != word {
		t.Fatalf("read the download after reload %d: %q, %v", round, got, err)
	}
	if _, err := s.upload.Write([]byte(word)); err != nil {
		t.Fatalf("write to the upload after reload %d: %v", round, err)
	}
	for have := ""; have != word; {
		select {
		case part := <-s.uploaded:
			have += part
		case err := <-s.answer:
			t.Fatalf("the upload ended after reload %d: %v", round, err)
		case <-ctx.Done():
			t.Fatalf("after reload %d the upload brought %q", round, have)
		}
	}
}

// finish ends the three in order.
func (s *streams) finish(t *testing.T, rounds int) {
	t.Helper()
	close(s.steps)
	if rest, err := io.ReadAll(s.download.Body); err != nil || len(rest) != 0 {
		t.Errorf("the download's end: %q, %v", rest, err)
	}
	s.download.Body.Close()
	s.upload.Close()
	if err := <-s.answer; err != nil {
		t.Errorf("the upload's answer: %v", err)
	}
	if err := s.socket.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("the websocket's end: %v", err)
	}
}

// authority signs the door's certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{key: key, cert: cert, pool: pool}
}

// issue writes N.pem and N.key for door.example into dir.
func (a *authority) issue(t *testing.T, dir string, n int) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(100 + n)), Subject: pkix.Name{CommonName: "door.example"}, DNSNames: []string{"door.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"pem": {Type: "CERTIFICATE", Bytes: der},
		"key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.%s", n, name)), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// client trusts the authority and finds every name at address. It never repeats
// a request by itself: it gets no idempotent request with a body, and its own
// idle time is shorter than the door's.
func (a *authority) client(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         dialTo(address),
		TLSClientConfig:     &tls.Config{RootCAs: a.pool},
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     20 * time.Second,
	}}
}

func dialTo(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
}

// presented is the certificate that a new connection gets.
func presented(t *testing.T, a *authority, address string) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: a.pool, ServerName: "door.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}
