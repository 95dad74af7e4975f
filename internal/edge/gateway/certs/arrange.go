package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"slices"
	"time"
)

// arrange makes the book anew and lets there be a keeper for every name that
// needs one. reloaded says that the operator has done something, which is a
// reason to try again what has failed. The caller holds mu.
func (m *Manager) arrange(reloaded bool) {
	p, b, now := m.current, newBook(), m.clock.Now()
	for _, f := range p.files {
		for _, name := range namesOf(f.cert) {
			b.add(name, f.cert)
		}
		if b.nameless == nil {
			b.nameless, b.stranger = f.cert, f.cert
		}
	}
	names := slices.DeleteFunc(slices.Clone(p.names), b.covers)
	kept := map[string]*keeper{}
	if p.acme != nil {
		for _, name := range names {
			if isPattern(name) {
				continue // the configuration has warned
			}
			k := m.keep(name, reloaded)
			kept[name] = k
			if k.cert == nil {
				b.pending[name] = true
				continue
			}
			b.add(name, k.cert)
			b.nameless = cmp.Or(b.nameless, k.cert)
		}
	}
	for name, k := range m.keepers {
		if kept[name] != k {
			k.stop()
		}
	}
	m.keepers = kept
	if p.local != nil {
		m.arrangeLocal(b, names, now)
	}
	m.book.Store(b)
}

// arrangeLocal fills b by the local authority.
func (m *Manager) arrangeLocal(b *book, names []string, now time.Time) {
	m.localAt = now
	local := m.current.local
	names = append([]string{"localhost"}, names...)
	local.keepOnly(names)
	for _, name := range names {
		if name == "*" {
			b.issue = func(name string) *tls.Certificate { return local.forVisitor(name, m.clock.Now()) }
			continue
		}
		c, err := local.forName(name, now)
		if err != nil {
			m.log.Error("no certificate: visitors of this name cannot connect", "name", name, "error", err)
			continue
		}
		b.nameless = cmp.Or(b.nameless, c)
		if name != "localhost" {
			b.add(name, c)
			continue
		}
		for _, own := range namesOf(c) {
			if !b.covers(own) {
				b.add(own, c)
			}
		}
	}
}

// keep returns the keeper of name, a new one if need be. The caller holds mu.
func (m *Manager) keep(name string, reloaded bool) *keeper {
	p, old := m.current, m.keepers[name]
	if old != nil && old.issuer == issuer(p.acme) {
		old.share = p.cfg.TLS.ACME.RenewAt
		if reloaded {
			select {
			case old.wake <- struct{}{}:
			default: // it is about to look
			}
		}
		return old
	}
	k := &keeper{
		name: name, issuer: p.acme, log: m.log, clock: m.clock, first: m.retry, info: m.info, publish: m.published,
		wake: make(chan struct{}, 1), share: p.cfg.TLS.ACME.RenewAt,
	}
	var err error
	if k.cert, err = p.acme.load(name); err != nil {
		if !notStored(err) {
			k.why = "unreadable"
			m.log.Error("a stored certificate cannot be used; a new one is ordered", "name", name, "error", err)
		}
		if old != nil {
			k.cert, k.foreign = old.cert, old.cert != nil
		}
	} else {
		m.warnOfValidity(name, k.cert)
	}
	var ctx context.Context
	ctx, k.stop = context.WithCancel(m.ctx)
	m.tasks.Go(func() {
		k.run(ctx, func() view {
			m.mu.Lock()
			defer m.mu.Unlock()
			return view{k.cert, k.share, k.foreign}
		})
	})
	return k
}

// published takes what came of an order: c, or why there is none.
func (m *Manager) published(k *keeper, c *tls.Certificate, why string) {
	outcome := cmp.Or(why, "issued")
	m.metrics.orders.WithLabelValues(outcome).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	k.why = why
	if c != nil {
		k.cert, k.foreign = c, false
	}
	if c != nil && !m.closed && m.keepers[k.name] == k {
		m.arrange(false)
	}
}
