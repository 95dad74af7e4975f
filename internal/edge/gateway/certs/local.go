package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	localRootLife = 10 * 365 * 24 * time.Hour
	localLeafLife = 30 * 24 * time.Hour
	localEarlier  = time.Hour // validity begins before now, for clocks that are slow
	localDemanded = 1024      // certificates kept for names that visitors came with
)

// localAuthority is an authority of this machine's own, for demos and tests: its
// key lies in data_dir, and nobody trusts it who was not told to. Its methods are
// safe for concurrent use.
type localAuthority struct {
	path string // of the PEM file for those who want to trust it
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	leaf *ecdsa.PrivateKey // of every certificate; lives as long as the process

	mu       sync.Mutex                  // guards the fields below
	issued   map[string]*tls.Certificate // for names of the configuration
	demanded map[string]*tls.Certificate // for other names; at most localDemanded
}

// openLocal reads the authority in dir, or makes it when there is none. An
// authority that has ended is replaced. Errors: the files cannot be read or
// written, or do not fit together; nothing is overwritten then.
func openLocal(dir string, now time.Time) (*localAuthority, error) {
	certFile, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem")
	chain, err := os.ReadFile(certFile)
	if errors.Is(err, fs.ErrNotExist) {
		return makeLocal(dir, certFile, keyFile, now)
	}
	if err != nil {
		return nil, fmt.Errorf("read the local authority: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the key of the local authority: %w", err)
	}
	pair, err := parsePair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("read the local authority %s (remove it to get a new one): %w", certFile, err)
	}
	signer, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("read the local authority %s: it is not one that Evergate made", certFile)
	}
	if now.Add(localLeafLife).After(pair.Leaf.NotAfter) {
		return makeLocal(dir, certFile, keyFile, now)
	}
	return newLocal(certFile, pair.Leaf, signer)
}

func newLocal(path string, root *x509.Certificate, key *ecdsa.PrivateKey) (*localAuthority, error) {
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return &localAuthority{
		path: path, root: root, key: key, leaf: leaf,
		issued: map[string]*tls.Certificate{}, demanded: map[string]*tls.Certificate{},
	}, nil
}

// makeLocal makes an authority. The key is written first: a certificate without
// its key would look like one that was lost.
func makeLocal(dir, certFile, keyFile string, now time.Time) (*localAuthority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the local authority: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "Evergate local authority on " + host},
		NotBefore:             now.Add(-localEarlier),
		NotAfter:              now.Add(localRootLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the local authority: %w", err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the local authority: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the local authority: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the local authority: %w", err)
	}
	if err := writeWhole(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return nil, fmt.Errorf("save the key of the local authority: %w", err)
	}
	if err := writeWhole(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, fmt.Errorf("save the local authority: %w", err)
	}
	return newLocal(certFile, root, key)
}

// forName returns the certificate for a name of the configuration.
func (a *localAuthority) forName(name string, now time.Time) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cached(a.issued, name, now)
}

// forVisitor returns the certificate for a name that a visitor came with, nil if
// it is not the name of a host. When the store is full it is emptied: making a
// certificate again costs less than keeping track of its use.
func (a *localAuthority) forVisitor(name string, now time.Time) *tls.Certificate {
	if !isHost(name) {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.demanded) >= localDemanded && a.demanded[name] == nil {
		clear(a.demanded)
	}
	c, err := a.cached(a.demanded, name, now)
	if err != nil {
		return nil // no certificate; the handshake says so
	}
	return c
}

// cached returns the certificate for name in store, made anew when a third of its
// life is left. The caller holds mu.
func (a *localAuthority) cached(store map[string]*tls.Certificate, name string, now time.Time) (*tls.Certificate, error) {
	if c := store[name]; c != nil && now.Before(c.Leaf.NotAfter.Add(-localLeafLife/3)) {
		return c, nil
	}
	names := []string{name}
	if name == "localhost" {
		names = append(names, "127.0.0.1", "::1")
	}
	c, err := a.make(names, now)
	if err != nil {
		return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	store[name] = c
	return c, nil
}

// keepOnly forgets certificates for names that left the configuration.
func (a *localAuthority) keepOnly(names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.issued, func(name string, _ *tls.Certificate) bool { return !slices.Contains(names, name) })
}

// all returns the certificates for names of the configuration, in a map of the
// caller's own.
func (a *localAuthority) all() map[string]*tls.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.issued)
}

func (a *localAuthority) make(names []string, now time.Time) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{Organization: []string{"Evergate"}},
		NotBefore:    now.Add(-localEarlier),
		NotAfter:     now.Add(localLeafLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, a.leaf.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.leaf, Leaf: leaf}, nil
}

// isHost reports whether name is a host name or IP address in normal form.
func isHost(name string) bool {
	if net.ParseIP(name) != nil {
		return true
	}
	if len(name) > 253 { // RFC 1035 section 2.3.4
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

// serial returns a random number of 127 bits (RFC 5280 section 4.1.2.2: positive,
// at most 20 octets).
func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n.Add(n, big.NewInt(1))
}

// writeWhole writes a file so that it is there as a whole or not at all.
func writeWhole(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
