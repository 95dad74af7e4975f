package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/certs"
)

// certFileEvery is how often the files of a certificate are looked at.
const certFileEvery = 10 * time.Second

// certFile is the certificate of the admin listener. Its files are read again
// when they change, for whoever renews them does not tell us. Safe for concurrent use.
type certFile struct {
	log *slog.Logger

	mu     sync.Mutex // guards the fields below
	cert   *certs.FileCert
	looked time.Time
}

// openCertFile reads the certificate and its key.
func openCertFile(files config.CertFile, log *slog.Logger) (*certFile, error) {
	cert, err := certs.ReadFileCert(files)
	if err != nil {
		return nil, fmt.Errorf("admin.tls: %w", err)
	}
	return &certFile{log: log, cert: cert, looked: time.Now()}, nil
}

// config is TLS with this certificate. HTTP/1.1 is enough for operators.
func (c *certFile) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}
}

func (c *certFile) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= certFileEvery {
		c.looked = now
		c.refresh()
	}
	return c.cert.Certificate(), nil
}

// refresh takes over what the files hold now. With files that cannot be used the
// certificate from before goes on.
func (c *certFile) refresh() {
	changed, problem := c.cert.Look()
	switch {
	case problem != "":
		c.log.Error("the admin listener goes on with its old certificate", "error", problem)
	case changed:
		c.log.Info("the admin listener has a new certificate", "expires", c.cert.Certificate().Leaf.NotAfter)
	}
}
