package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/mholt/acmez/v3"

	"github.com/evergate/evergate/internal/config"
)

// policy is what TLS asks of visitors. It is comparable: two that are equal ask
// for the same.
type policy struct {
	minVersion uint16
	clientAuth tls.ClientAuthType
	clientCA   [sha256.Size]byte // of the file's content; zero: nobody is asked
}

// policyOf reads the policy of cfg, with the authorities of client certificates.
// Errors: the CA file cannot be read or holds no certificate.
func policyOf(cfg *config.Config) (policy, *x509.CertPool, error) {
	p := policy{minVersion: tls.VersionTLS12}
	if cfg.TLS.MinVersion == "1.3" {
		p.minVersion = tls.VersionTLS13
	}
	switch cfg.TLS.ClientCerts.Mode {
	case "request":
		p.clientAuth = tls.VerifyClientCertIfGiven
	case "require":
		p.clientAuth = tls.RequireAndVerifyClientCert
	default:
		return p, nil, nil
	}
	pool, content, err := readPool(cfg.TLS.ClientCerts.CA)
	if err != nil {
		return policy{}, nil, fmt.Errorf("tls.client_certs.ca: %w", err)
	}
	p.clientCA = sha256.Sum256(content)
	return p, pool, nil
}

// readPool reads a PEM file with authorities.
func readPool(path string) (*x509.CertPool, []byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, nil, fmt.Errorf("read authorities %s: it holds no PEM certificate", path)
	}
	return pool, content, nil
}

// tlsConfig makes what the listeners speak under p. Suites, curves and the
// rotation of ticket keys are Go's. Another policy gets another tls.Config and
// with it other ticket keys, so that a session begun under the former one cannot
// be resumed: who must show a certificate now will be asked for it.
func (m *Manager) tlsConfig(p policy, clientCAs *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:         p.minVersion,
		NextProtos:         []string{"h2", "http/1.1"},
		ClientAuth:         p.clientAuth,
		ClientCAs:          clientCAs,
		GetCertificate:     m.getCertificate,
		GetConfigForClient: m.challengeConfig,
	}
}

// getCertificate is the way of every handshake. Without a certificate it returns
// nothing, which crypto/tls turns into the alert unrecognized_name.
func (m *Manager) getCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	b := m.book.Load()
	c, name := b.find(hello, m.clock)
	if c == nil {
		m.missing(b, name, hello)
	}
	return c, nil
}

// challengeConfig answers the validation of tls-alpn-01 (RFC 8737 section 3): it
// offers acme-tls/1 and nothing else, names the host, and has no client
// certificate to show, whatever visitors must.
func (m *Manager) challengeConfig(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acmez.ACMETLS1Protocol {
		return nil, nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{acmez.ACMETLS1Protocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c := m.challenges.certificate(normalName(hello.ServerName))
			if c == nil {
				m.metrics.missing.WithLabelValues("challenge").Inc()
			}
			return c, nil
		},
		SessionTicketsDisabled: true,
	}, nil
}
