package certs

import (
	"crypto/tls"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
	"github.com/prometheus/client_golang/prometheus"
)

// office is a manager under test with what its tests look at.
type office struct {
	t        testing.TB
	manager  *Manager
	dir      string
	registry *prometheus.Registry
	log      journal
}

// journal is a log that tests may read meanwhile.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write takes a line.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// has counts the lines with all of words.
func (j *journal) has(words ...string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for line := range strings.Lines(j.text.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{t: t, dir: filepath.Join(t.TempDir(), "certs"), registry: prometheus.NewRegistry()}
	o.manager = New(Options{
		Dir: o.dir, Registerer: o.registry, Poll: 5 * time.Millisecond, Retry: 20 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(&o.log, nil)),
	})
	t.Cleanup(o.manager.Close)
	return o
}

// use prepares and uses cfg.
func (o *office) use(cfg *config.Config) *tls.Config {
	o.t.Helper()
	p, err := o.manager.Prepare(cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	o.manager.Use(p)
	conf, err := o.manager.TLSConfig(cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	return conf
}

// site is a configuration that serves hosts on https.
func site(hosts ...string) *config.Config {
	cfg := &config.Config{Sites: []*config.Site{{Hosts: hosts}}}
	cfg.Listen.HTTPS = config.StringList{":443"}
	cfg.TLS.MinVersion = "1.2"
	cfg.TLS.ClientCerts.Mode = "off"
	return cfg
}

// withACME lets an authority be asked.
func withACME(cfg *config.Config, directory string) *config.Config {
	cfg.TLS.ACME = &config.ACME{Directory: directory, Challenges: []string{"http-01", "tls-alpn-01"}, RenewAt: 0.33}
	return cfg
}

// shake makes a handshake between server and client over a connection on loopback.
func shake(t testing.TB, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer c.Close()
		secure := tls.Server(c, server)
		if err = secure.Handshake(); err == nil {
			_, err = secure.Write([]byte("x")) // brings the session ticket along
		}
		served <- err
	}()
	c, err := (&tls.Dialer{Config: client}).Dial("tcp", l.Addr().String())
	if err != nil {
		<-served
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err != nil {
		<-served
		return tls.ConnectionState{}, err
	}
	return c.(*tls.Conn).ConnectionState(), <-served
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func (o *office) metric(name string, labels ...string) (value float64, found bool) {
	o.t.Helper()
	families, err := o.registry.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetName()+"="+l.GetValue())
			}
			if f.GetName() == name && !slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(have, l) }) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), true
			}
		}
	}
	return 0, false
}
