package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// certFileEvery is how often the files of a certificate are looked at.
const certFileEvery = 10 * time.Second

// certFile is the certificate of the admin listener. Its files are read again
// when they change, for whoever renews them does not tell us. Safe for concurrent use.
type certFile struct {
	files config.CertFile
	log   *slog.Logger

	mu      sync.Mutex // guards the fields below
	cert    *tls.Certificate
	changed time.Time // the newer of both files, when cert was read
	looked  time.Time
}

// openCertFile reads the certificate and its key.
func openCertFile(files config.CertFile, log *slog.Logger) (*certFile, error) {
	c := &certFile{files: files, log: log}
	changed, err := c.modified()
	if err == nil {
		err = c.read(changed)
	}
	if err != nil {
		return nil, fmt.Errorf("admin.tls: %w", err)
	}
	c.looked = time.Now()
	return c, nil
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
	return c.cert, nil
}

// refresh takes over what the files hold now. With files that cannot be used the
// certificate from before goes on.
func (c *certFile) refresh() {
	changed, err := c.modified()
	if err == nil && changed.Equal(c.changed) {
		return
	}
	if err == nil {
		err = c.read(changed)
	}
	if err != nil {
		c.log.Error("the admin listener goes on with its old certificate", "error", err)
		return
	}
	c.log.Info("the admin listener has a new certificate", "file", c.files.Cert)
}

func (c *certFile) read(changed time.Time) error {
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("read %s and %s: %w", c.files.Cert, c.files.Key, err)
	}
	c.cert, c.changed = &cert, changed
	return nil
}

func (c *certFile) modified() (time.Time, error) {
	var newest time.Time
	for _, name := range []string{c.files.Cert, c.files.Key} {
		info, err := os.Stat(name)
		if err != nil {
			return time.Time{}, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}
