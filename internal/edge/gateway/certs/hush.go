package certs

import (
	"crypto/tls"
	"sync"
	"time"
)

const hushFor = time.Minute // between two messages about one name

// hush keeps visitors from filling the log: each name is told about once in a
// while. It holds names of the configuration only. The zero value is ready.
type hush struct {
	mu   sync.Mutex
	told map[string]time.Time
}

// speak reports whether name may be told about at now.
func (h *hush) speak(name string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last, ok := h.told[name]; ok && now.Sub(last).Abs() < hushFor {
		return false
	}
	if h.told == nil {
		h.told = map[string]time.Time{}
	}
	h.told[name] = now
	return true
}

// missing counts and tells that a handshake ends for want of a certificate.
func (m *Manager) missing(b *book, name string, hello *tls.ClientHelloInfo) {
	why := "unknown"
	switch {
	case name == "":
		why = "unnamed"
	case b.pending[name]:
		why = "pending"
	}
	m.metrics.missing.WithLabelValues(why).Inc()
	if why == "pending" && m.hush.speak(name, m.clock.Now()) {
		m.log.Warn("a visitor was turned away: there is no certificate for this name yet", "name", name)
		return
	}
	from := ""
	if hello.Conn != nil {
		from = hello.Conn.RemoteAddr().String()
	}
	m.log.Debug("no certificate for a visitor", "name", name, "why", why, "from", from)
}
