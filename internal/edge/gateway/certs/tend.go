package certs

import (
	"crypto/tls"
	"time"
)

const localLook = time.Hour // between two looks at what the local authority has issued

// tend looks at the files and at the certificates of the local authority.
func (m *Manager) tend() {
	ticker := time.NewTicker(m.poll)
	defer ticker.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
			m.look()
		}
	}
}

// look is one round of tend.
func (m *Manager) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	now, anew := m.clock.Now(), false
	for _, f := range m.current.files {
		changed, problem := f.Look()
		if problem != "" {
			m.log.Error("certificate files cannot be used; those read before stay in use", "cert", f.conf.Cert, "why", f.why, "error", problem)
		}
		if changed {
			anew = true
			m.log.Info("certificate files read again", "cert", f.conf.Cert, "names", namesOf(f.cert), "expires", f.cert.Leaf.NotAfter)
			m.warnOfValidity(f.conf.Cert, f.cert)
		}
	}
	if m.current.local != nil && now.Sub(m.localAt).Abs() > localLook {
		anew = true
	}
	if anew {
		m.arrange(false)
	}
}

// warnOfValidity says if c is of no use now. It is used all the same: a visitor
// told "expired" knows more than one whose connection ends.
func (m *Manager) warnOfValidity(name string, c *tls.Certificate) {
	switch now := m.clock.Now(); {
	case now.After(c.Leaf.NotAfter):
		m.log.Error("a certificate has expired", "name", name, "expired", c.Leaf.NotAfter)
	case now.Before(c.Leaf.NotBefore):
		m.log.Error("a certificate is not valid yet; is the clock right?", "name", name, "valid_from", c.Leaf.NotBefore, "now", now)
	}
}
