package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"

	"github.com/evergate/evergate/internal/config"
)

// Prepared is what a configuration asks for, read and checked. It is put to use
// by Manager.Use, or let go by Discard.
type Prepared struct {
	manager *Manager
	cfg     *config.Config
	policy  policy
	tls     *tls.Config
	names   []string // every host name of the sites, in normal form and order
	files   []*FileCert
	acme    *authority      // nil: none
	local   *localAuthority // nil: none
}

// Prepare reads and checks everything that cfg asks for: certificate files,
// authorities, the folder of certificates. Nothing changes until Use, and
// nobody is asked over the network. One preparation is open at a time; another
// Prepare takes the place of the last. Errors name the key of cfg and the file;
// an error leaves the manager as it was.
func (m *Manager) Prepare(cfg *config.Config) (*Prepared, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.New("certs: closed")
	}
	p := &Prepared{manager: m, cfg: cfg}
	if len(cfg.Listen.HTTPS) > 0 {
		if err := p.read(); err != nil {
			return nil, err
		}
	}
	m.prepared = p
	return p, nil
}

// Discard lets go of what was prepared and not used.
func (p *Prepared) Discard() {
	m := p.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.prepared == p {
		m.prepared = nil
	}
}

// read fills p. The caller holds the manager's lock.
func (p *Prepared) read() error {
	m, cfg := p.manager, p.cfg
	asked, clientCAs, err := policyOf(cfg)
	if err != nil {
		return err
	}
	p.policy = asked
	if m.current != nil && m.current.tls != nil && m.current.policy == asked {
		p.tls = m.current.tls
	} else {
		p.tls = m.tlsConfig(asked, clientCAs)
	}
	p.names = namesIn(cfg)
	for i, conf := range cfg.TLS.Files {
		f, err := ReadFileCert(conf)
		if err != nil {
			return fmt.Errorf("tls.files[%d]: %w", i, err)
		}
		p.files = append(p.files, f)
		m.warnOfValidity(conf.Cert, f.cert)
	}
	if cfg.TLS.ACME != nil {
		if err := p.readACME(cfg.TLS.ACME); err != nil {
			return err
		}
	}
	if cfg.TLS.Local {
		return p.readLocal()
	}
	return nil
}

// readACME prepares the authority, the one in use if it is the same.
func (p *Prepared) readACME(conf *config.ACME) error {
	m := p.manager
	settings, roots, err := acmeSettingsOf(conf)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of certificates: %w", err)
	}
	if m.current != nil && m.current.acme != nil && m.current.acme.settings == settings {
		p.acme = m.current.acme
		return nil
	}
	if m.cache == nil {
		m.cache = certmagic.NewCache(certmagic.CacheOptions{
			GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) {
				return nil, errors.New("certs: nothing is kept in this cache")
			},
			Logger: newZap(m.log),
		})
	}
	p.acme = newAuthority(settings, roots, m.storage, m.challenges, m.cache, m.log)
	return nil
}

// readLocal prepares the local authority, the one in use if there is one.
func (p *Prepared) readLocal() error {
	m := p.manager
	if m.current != nil && m.current.local != nil {
		p.local = m.current.local
		return nil
	}
	var err error
	if p.local, err = openLocal(m.localDir(), m.clock.Now()); err != nil {
		return fmt.Errorf("tls.local: %w", err)
	}
	m.log.Info("certificates are made by the local authority; trust it by this file", "ca", p.local.path)
	return nil
}

// namesIn returns the host names of cfg, without repetition, those of hosts and
// of redirect_from.
func namesIn(cfg *config.Config) []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range cfg.Sites {
		for _, h := range slices.Concat(s.Hosts, s.RedirectFrom) {
			if name := normalName(h); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// isPattern reports whether a host of a site is "*" or "*.example.org".
func isPattern(name string) bool { return strings.HasPrefix(name, "*") }
