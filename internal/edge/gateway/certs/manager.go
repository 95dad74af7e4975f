package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/config"
)

const (
	defaultPoll = 2 * time.Second
	defaultInfo = 6 * time.Hour
)

// Options are what a manager needs beside its configuration.
type Options struct {
	Dir        string                // folder of its own in data_dir; made (0700) when something is to be kept
	Storage    certmagic.Storage     // shared with other nodes, with its copy in Dir; nil: the files in Dir and nothing else
	Log        *slog.Logger          // nil: slog's default
	Registerer prometheus.Registerer // nil: metrics are counted and not shown
	Clock      clock.Clock
	Poll       time.Duration // how often certificate files are looked at; 0: 2 s
	Info       time.Duration // how often the ACME authority is asked when it would like a renewal; 0: 6 h
	Retry      time.Duration // first wait after a failed order, which then doubles; 0: 15 s if nobody answered, 5 min if the authority refused
}

// Manager owns the certificates of the https listeners. Its methods are safe
// for concurrent use.
type Manager struct {
	dir        string
	log        *slog.Logger
	clock      clock.Clock
	poll       time.Duration
	retry      time.Duration
	info       time.Duration
	metrics    *metrics
	challenges *challenges
	storage    *storage
	hush       hush

	book atomic.Pointer[book] // what handshakes read; never nil

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup // every goroutine

	mu       sync.Mutex // guards the fields below
	current  *Prepared  // in use; nil before the first Use
	prepared *Prepared  // by the last Prepare, neither used nor discarded; nil: none
	keepers  map[string]*keeper
	tending  bool
	localAt  time.Time        // of the last look at what the local authority has issued
	cache    *certmagic.Cache // nil until there is an ACME authority
	left     []*authority     // no longer asked
	closed   bool
}

// New returns a manager that has no certificates yet. It starts nothing and
// touches no file.
func New(o Options) *Manager {
	m := &Manager{
		dir:        o.Dir,
		log:        cmp.Or(o.Log, slog.Default()),
		clock:      o.Clock,
		poll:       cmp.Or(o.Poll, defaultPoll),
		retry:      o.Retry,
		info:       cmp.Or(o.Info, defaultInfo),
		challenges: newChallenges(),
		storage:    newStorage(o.Dir, o.Storage),
		keepers:    map[string]*keeper{},
	}
	m.metrics = newMetrics(m, o.Registerer)
	m.book.Store(newBook())
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// TLSConfig returns what the https listeners of cfg speak; cfg is the one that
// was prepared last, or the one in use. While the oldest version and the client
// certificates asked for are the same it is the same pointer: certificates are
// looked up at each handshake. The caller must not change it. Errors: cfg is
// neither.
func (m *Manager) TLSConfig(cfg *config.Config) (*tls.Config, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range []*Prepared{m.prepared, m.current} {
		if p != nil && p.cfg == cfg {
			return p.tls, nil
		}
	}
	return nil, fmt.Errorf("certs: configuration %s was not prepared", cfg.File)
}

// HTTPChallenge answers the ACME authority (http-01) on whatever listener it
// comes to, and passes all else to next.
func (m *Manager) HTTPChallenge(next http.Handler) http.Handler { return m.challenges.handler(next) }

// Use puts p to use: certificates of files at once, those of an ACME authority
// from disk at once and from the authority when it pleases. Names that stay keep
// their certificates and what is under way for them; names that left are no
// longer kept. It waits for nobody.
func (m *Manager) Use(p *Prepared) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	if m.prepared == p {
		m.prepared = nil
	}
	previous := m.current
	m.current = p
	if previous != nil && previous.acme != p.acme {
		m.leave(previous.acme)
	}
	m.arrange(true)
	if !m.tending {
		m.tending = true
		m.tasks.Go(m.tend)
	}
}

// leave stops all orders with an authority that is no longer asked. Certificates
// that it gave stay in use until the next one has given others.
func (m *Manager) leave(a *authority) {
	if a == nil {
		return
	}
	for _, k := range m.keepers {
		k.stop()
	}
	m.left = append(m.left, a)
}

// Close ends everything, and waits for it: orders under way are given up. It may
// be called twice. Handshakes still find the certificates that there are.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	cache := m.cache
	m.cache = nil
	m.mu.Unlock()
	m.cancel()
	m.tasks.Wait()
	if cache != nil {
		cache.Stop()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil && m.current.acme != nil {
		m.left = append(m.left, m.current.acme)
	}
	for _, a := range m.left {
		a.close()
	}
}

// status is what the metrics tell of a certificate.
type status struct {
	name, source string
	expiry       time.Time // zero: there is none
	why          string    // "" or why the last attempt failed
}

// status returns the state of every certificate of the configuration.
func (m *Manager) status() []status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return nil
	}
	var all []status
	for _, f := range m.current.files {
		all = append(all, status{f.conf.Cert, "file", f.cert.Leaf.NotAfter, f.why})
	}
	for name, k := range m.keepers {
		s := status{name: name, source: "acme", why: k.why}
		if k.cert != nil {
			s.expiry = k.cert.Leaf.NotAfter
		}
		all = append(all, s)
	}
	if m.current.local != nil {
		for name, c := range m.current.local.all() {
			all = append(all, status{name: name, source: "local", expiry: c.Leaf.NotAfter})
		}
	}
	return all
}

// localDir is where the local authority lives.
func (m *Manager) localDir() string { return filepath.Join(m.dir, "local") }
