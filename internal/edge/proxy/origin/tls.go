package origin

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/config"
)

const tlsSessions = 64 // TLS sessions kept for each server

// newTLS returns what is needed to speak to name over TLS, or an error about
// the files of cfg. Files that change later are read again at the next
// handshake; when they cannot be read then, what was read last goes on.
func newTLS(cfg config.ServerTLS, name string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if cfg.SNI != "" {
		c.ServerName = cfg.SNI
	}
	if cfg.Cert != "" {
		pair := &fileSet[*tls.Certificate]{paths: []string{cfg.Cert, cfg.Key}, load: func() (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
			if err != nil {
				return nil, fmt.Errorf("load client certificate %s: %w", cfg.Cert, err)
			}
			return &cert, nil
		}}
		if _, err := pair.get(); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.get() }
	}
	switch {
	case cfg.Insecure:
		c.InsecureSkipVerify = true
	case cfg.CA != "":
		roots := &fileSet[*x509.CertPool]{paths: []string{cfg.CA}, load: func() (*x509.CertPool, error) {
			pem, err := os.ReadFile(cfg.CA)
			if err != nil {
				return nil, fmt.Errorf("read certificate authorities: %w", err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("read certificate authorities %s: no certificate in it", cfg.CA)
			}
			return pool, nil
		}}
		if _, err := roots.get(); err != nil {
			return nil, err
		}
		// crypto/tls takes fixed roots only. To follow the file, its own check is
		// switched off and made here, the same way (handshake_client.go,
		// verifyServerCertificate); VerifyConnection also runs on resumption.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error {
			pool, err := roots.get()
			if err != nil {
				return err
			}
			return verify(state, pool, c.ServerName)
		}
	}
	return c, nil
}

// verify checks the chain that the other end showed against roots, and its name.
func verify(state tls.ConnectionState, roots *x509.CertPool, name string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("verify certificate: none shown")
	}
	opts := x509.VerifyOptions{Roots: roots, DNSName: name, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := state.PeerCertificates[0].Verify(opts); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// fileSet is a value read from files, and read again when one of them changed.
// Safe for concurrent use.
type fileSet[T any] struct {
	paths []string
	load  func() (T, error)

	mu    sync.Mutex // guards the fields below
	stamp []stamp
	value T
	ok    bool
}

// stamp tells one content of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// get returns the value. An error is returned only while nothing was ever read.
func (f *fileSet[T]) get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, same := make([]stamp, len(f.paths)), f.ok
	for i, p := range f.paths {
		info, err := os.Stat(p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && f.ok {
			return f.value, nil
		}
		if err == nil {
			now[i] = stamp{info.ModTime(), info.Size()}
		}
		same = same && now[i] == f.stamp[i]
	}
	if same {
		return f.value, nil
	}
	v, err := f.load()
	switch {
	case err == nil:
		f.value, f.stamp, f.ok = v, now, true
	case f.ok:
		return f.value, nil // half-written or gone: the old one goes on
	}
	return f.value, err
}
