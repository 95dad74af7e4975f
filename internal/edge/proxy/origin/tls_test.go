package origin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = sign(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func sign(t *testing.T, by *authority, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = &authority{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c, key
}

// issue returns a certificate for name.
func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	c, key := sign(t, a, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

// write puts PEM blocks in a file whose time is later than before, however
// coarse the file system's clock.
func write(t *testing.T, path, kind string, der []byte, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-age)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func writePair(t *testing.T, dir string, c tls.Certificate, age time.Duration) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cert.pem"), "CERTIFICATE", c.Certificate[0], age)
	write(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", key, age)
}

// handshake connects client to a server with cert; it returns the client's
// error and the name on the certificate that the client showed.
func handshake(t *testing.T, client *tls.Config, cert tls.Certificate) (error, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a net.Pipe has no buffer: alerts would block
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	shown := make(chan string, 1)
	go func() {
		b, err := l.Accept()
		if err != nil {
			shown <- err.Error()
			return
		}
		s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true})
		name := ""
		if s.HandshakeContext(ctx) == nil {
			if c := s.ConnectionState().PeerCertificates; len(c) > 0 {
				name = c[0].Subject.CommonName
			}
		}
		b.Close()
		shown <- name
	}()
	err = tls.Client(a, client).HandshakeContext(ctx)
	a.Close()
	return err, <-shown
}

func TestNewTLS(t *testing.T) {
	dir := t.TempDir()
	ca, other := newAuthority(t, "ca"), newAuthority(t, "other")
	file := filepath.Join(dir, "ca.pem")
	write(t, file, "CERTIFICATE", ca.cert.Raw, time.Minute)
	good := ca.issue(t, "app.test")
	tests := []struct {
		name string
		cfg  config.ServerTLS
		cert tls.Certificate
		ok   bool
	}{
		{"a certificate of the authority for the name", config.ServerTLS{CA: file}, good, true},
		{"of another authority", config.ServerTLS{CA: file}, other.issue(t, "app.test"), false},
		{"for another name", config.ServerTLS{CA: file}, ca.issue(t, "api.test"), false},
		{"for the name that sni says", config.ServerTLS{CA: file, SNI: "api.test"}, ca.issue(t, "api.test"), true},
		{"not for the name that sni says", config.ServerTLS{CA: file, SNI: "api.test"}, good, false},
		{"the system's authorities do not know it", config.ServerTLS{}, good, false},
		{"insecure takes anything", config.ServerTLS{Insecure: true}, other.issue(t, "x.test"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := newTLS(tt.cfg, "app.test")
			if err != nil {
				t.Fatal(err)
			}
			if err, _ := handshake(t, c.Clone(), tt.cert); (err == nil) != tt.ok {
				t.Errorf("%v, want ok %t", err, tt.ok)
			}
		})
	}
	t.Run("an expired certificate", func(t *testing.T) {
		c, err := newTLS(config.ServerTLS{CA: file}, "app.test")
		if err != nil {
			t.Fatal(err)
		}
		state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{{NotAfter: time.Now().Add(-time.Hour)}}}
		if c.VerifyConnection(state) == nil || c.VerifyConnection(tls.ConnectionState{}) == nil {
			t.Error("accepted")
		}
	})
}

func TestNewTLS_filesThatChangeAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	file := filepath.Join(dir, "ca.pem")
	write(t, file, "CERTIFICATE", one.cert.Raw, 3*time.Minute)
	writePair(t, dir, one.issue(t, "first.test"), 3*time.Minute)
	c, err := newTLS(config.ServerTLS{CA: file, Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}, "app.test")
	if err != nil {
		t.Fatal(err)
	}
	if err, shown := handshake(t, c, one.issue(t, "app.test")); err != nil || shown != "first.test" {
		t.Fatalf("%v, showed %q", err, shown)
	}
	write(t, file, "CERTIFICATE", two.cert.Raw, 2*time.Minute)
	writePair(t, dir, two.issue(t, "second.test"), 2*time.Minute)
	if err, shown := handshake(t, c, two.issue(t, "app.test")); err != nil || shown != "second.test" {
		t.Errorf("after the change: %v, showed %q", err, shown)
	}
	write(t, file, "CERTIFICATE", []byte("half a file"), time.Minute)
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if err, shown := handshake(t, c, two.issue(t, "app.test")); err != nil || shown != "second.test" {
		t.Errorf("with broken files, the old ones go on: %v, showed %q", err, shown)
	}
}
