package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const pebblePackage = "github.com/letsencrypt/pebble/v2/cmd/pebble"

// built is the folder of pebbleBinary, "" until somebody wanted it.
var built string

// pebbleBinary builds pebble once for all tests.
var pebbleBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "evergate-pebble-")
	if err != nil {
		return "", err
	}
	built = dir
	binary := filepath.Join(dir, "pebble")
	out, err := exec.Command("go", "build", "-o", binary, pebblePackage).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build pebble: %w\n%s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// pebble is an authority that may be started and stopped. Its addresses, and
// what it signs its own listener with, stay the same; its accounts, orders and
// roots are gone after a stop.
type pebble struct {
	t          testing.TB
	dir        string
	address    string
	management string
	config     map[string]any
	dns        string
	log        lockedBuffer
	cmd        *exec.Cmd
	exited     chan struct{}
}

// authorityOptions is what a test wants of its authority.
type authorityOptions struct {
	httpPort, tlsPort int           // where it looks for challenges
	life              time.Duration // of certificates
	blocked           []string      // names it refuses
	dns               string        // address of the DNS server it asks
}

// newPebble returns an authority that does not run yet.
func newPebble(t testing.TB, o authorityOptions) *pebble {
	t.Helper()
	p := &pebble{t: t, dir: t.TempDir(), address: freeAddress(t), management: freeAddress(t), dns: o.dns}
	certFile, keyFile := p.makeCertificate()
	if o.blocked == nil {
		o.blocked = []string{}
	}
	p.config = map[string]any{"pebble": map[string]any{
		"listenAddress":           p.address,
		"managementListenAddress": p.management,
		"certificate":             certFile,
		"privateKey":              keyFile,
		"httpPort":                o.httpPort,
		"tlsPort":                 o.tlsPort,
		"domainBlocklist":         o.blocked,
		"retryAfter":              map[string]int{"authz": 1, "order": 1},
		"keyAlgorithm":            "ecdsa",
		"profiles": map[string]any{"default": map[string]any{
			"description": "of this test", "validityPeriod": int(o.life / time.Second)}},
	}}
	t.Cleanup(p.stop)
	return p
}

// directory is the URL for tls.acme.directory.
func (p *pebble) directory() string { return "https://" + p.address + "/dir" }

// ca is the file for tls.acme.directory_ca.
func (p *pebble) ca() string { return filepath.Join(p.dir, "pebble.pem") }

// start runs pebble and waits until it answers.
func (p *pebble) start() {
	p.t.Helper()
	binary, err := pebbleBinary()
	if err != nil {
		p.t.Fatal(err)
	}
	content, err := json.Marshal(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	file := filepath.Join(p.dir, "config.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.Command(binary, "-config", file, "-dnsserver", p.dns, "-strict")
	p.cmd.Env = append(os.Environ(),
		"PEBBLE_VA_ALWAYS_VALID=0", // it really asks
		"PEBBLE_VA_NOSLEEP=1",
		"PEBBLE_AUTHZREUSE=0", // at every order
	)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // killed
		close(exited)
	}(p.cmd, p.exited)
	eventually(p.t, 10*time.Second, "pebble answers", func() bool {
		response, err := p.client().Get(p.directory())
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// stop kills pebble. It may be called at any time.
func (p *pebble) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
	p.cmd = nil
	if p.t.Failed() {
		p.t.Logf("pebble:\n%s", p.log.String())
	}
}

// roots returns what this run of pebble signs certificates with.
func (p *pebble) roots() *x509.CertPool {
	p.t.Helper()
	response, err := p.client().Get("https://" + p.management + "/roots/0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		p.t.Fatalf("pebble's root: %s", content)
	}
	return pool
}

// wish makes pebble say that leaf should have been renewed an hour ago, as an
// authority does that is about to revoke it.
func (p *pebble) wish(leaf *x509.Certificate) {
	p.t.Helper()
	now := time.Now().UTC()
	info, err := json.Marshal(map[string]any{"suggestedWindow": map[string]time.Time{"start": now.Add(-2 * time.Hour), "end": now.Add(-time.Hour)}})
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{
		"Certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})),
		"ARIResponse": string(info),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := p.client().Post("https://"+p.management+"/set-renewal-info/", "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.t.Fatalf("set renewal info: status %d", response.StatusCode)
	}
}

func (p *pebble) client() *http.Client {
	pool := x509.NewCertPool()
	content, err := os.ReadFile(p.ca())
	if err != nil {
		p.t.Fatal(err)
	}
	pool.AppendCertsFromPEM(content)
	return &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true},
	}
}

// makeCertificate makes what pebble shows on its own listener.
func (p *pebble) makeCertificate() (certFile, keyFile string) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "authority under test"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	certFile, keyFile = p.ca(), filepath.Join(p.dir, "pebble-key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// freeAddress returns an address on loopback that nobody listens on right now.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually waits until ok is true, and fails the test if that takes too long.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lockedBuffer keeps what is logged.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes a piece.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns all of it.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// count returns how often a line has all of words.
func (b *lockedBuffer) count(words ...string) int {
	n := 0
line:
	for line := range strings.Lines(b.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue line
			}
		}
		n++
	}
	return n
}
