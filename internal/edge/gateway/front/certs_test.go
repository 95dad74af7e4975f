package front

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// testCerts is a source of certificates with an authority of its own.
type testCerts struct {
	err       error
	conf      *tls.Config
	authority *x509.Certificate
}

func (c *testCerts) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.authority)
	return p
}

// replace makes the next TLSConfig another one.
func (c *testCerts) replace() { c.conf = c.conf.Clone() }

func (c *testCerts) TLSConfig(*config.Config) (*tls.Config, error) { return c.conf, c.err }

// HTTPChallenge answers one path, as the real one does.
func (c *testCerts) HTTPChallenge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/acme-challenge/token" {
			io.WriteString(w, "key")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func newTestCerts(t testing.TB) *testCerts {
	t.Helper()
	cert := issue(t, "front.test")
	return &testCerts{
		authority: cert.Leaf,
		conf: &tls.Config{
			Certificates: []tls.Certificate{cert},
			NextProtos:   []string{"h2", "http/1.1"},
			MinVersion:   tls.VersionTLS12,
		},
	}
}

// issue makes a self-signed certificate for servers and clients.
func issue(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name, "other.test"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
