package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// notary signs the certificates of a test.
type notary struct {
	t    testing.TB
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newNotary(t testing.TB) *notary {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "notary of the test"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &notary{t, root, key}
}

func (n *notary) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(n.root)
	return pool
}

// file writes the notary's own certificate and returns its path.
func (n *notary) file() string {
	n.t.Helper()
	path := filepath.Join(n.t.TempDir(), "ca.pem")
	n.write(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.root.Raw}))
	return path
}

// sign returns a certificate for names that is valid from an hour ago to an hour
// from now.
func (n *notary) sign(names ...string) *tls.Certificate {
	n.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.signKey(key, time.Now().Add(time.Hour), names...)
}

func (n *notary) signRSA(names ...string) *tls.Certificate {
	n.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.signKey(key, time.Now().Add(time.Hour), names...)
}

func (n *notary) signUntil(end time.Time, names ...string) *tls.Certificate {
	n.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.signKey(key, end, names...)
}

func (n *notary) signKey(key crypto.Signer, end time.Time, names ...string) *tls.Certificate {
	n.t.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: end.Add(-2 * time.Hour), NotAfter: end,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.root, key.Public(), n.key)
	if err != nil {
		n.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		n.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// pems returns c as files hold it.
func (n *notary) pems(c *tls.Certificate) (chain, key []byte) {
	n.t.Helper()
	secret, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		n.t.Fatal(err)
	}
	chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// save writes c into dir as NAME.pem and NAME-key.pem.
func (n *notary) save(dir, name string, c *tls.Certificate) config.CertFile {
	n.t.Helper()
	conf := config.CertFile{Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+"-key.pem")}
	chain, key := n.pems(c)
	n.write(conf.Cert, chain)
	n.write(conf.Key, key)
	return conf
}

// write replaces a file in one step.
func (n *notary) write(path string, content []byte) {
	n.t.Helper()
	if err := writeWhole(path, content, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// overwrite changes a file in place.
func (n *notary) overwrite(path string, content []byte) {
	n.t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		n.t.Fatal(err)
	}
}
