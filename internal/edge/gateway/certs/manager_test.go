package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/config"
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

func TestManager_ServesFilesThatAreReplacedWhileVisitorsCome(t *testing.T) {
	n, o, dir := newNotary(t), newOffice(t), t.TempDir()
	cfg := site("one.test")
	cfg.TLS.Files = []config.CertFile{n.save(dir, "one", n.sign("one.test"))}
	conf := o.use(cfg)

	ctx, cancel := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	for range 2 {
		visitors.Go(func() {
			for ctx.Err() == nil {
				if _, err := shake(t, conf, &tls.Config{ServerName: "one.test", RootCAs: n.pool()}); err != nil {
					t.Errorf("handshake: %v", err)
					return
				}
			}
		})
	}
	for range 5 {
		next := n.sign("one.test")
		chain, key := n.pems(next)
		n.overwrite(cfg.TLS.Files[0].Cert, chain) // for a moment the key is another's
		n.overwrite(cfg.TLS.Files[0].Key, key)
		eventually(t, "the new certificate is served", func() bool {
			state, err := shake(t, conf, &tls.Config{ServerName: "one.test", RootCAs: n.pool()})
			return err == nil && state.PeerCertificates[0].Equal(next.Leaf)
		})
	}
	cancel()
	visitors.Wait()
}

func TestManager_FilesThatDoNotFitAreReported(t *testing.T) {
	n, o := newNotary(t), newOffice(t)
	cfg := site("one.test")
	file := n.save(t.TempDir(), "one", n.sign("one.test"))
	cfg.TLS.Files = []config.CertFile{file}
	o.use(cfg)
	chain, _ := n.pems(n.sign("one.test"))
	n.write(file.Cert, chain)
	eventually(t, "the metrics tell", func() bool {
		_, failing := o.metric("evergate_cert_failing", "name="+file.Cert, "source=file", "why=invalid")
		return failing
	})
	if o.log.has("level=ERROR", file.Cert, "does not match") != 1 {
		t.Error("the log does not tell once")
	}
	if _, ok := o.metric("evergate_cert_expiry_timestamp_seconds", "name="+file.Cert, "source=file"); !ok {
		t.Error("no expiry of the certificate in use")
	}
}

func TestManager_PrepareRefusesWhatCannotBeRead(t *testing.T) {
	n := newNotary(t)
	missing := filepath.Join(t.TempDir(), "missing.pem")
	good := n.save(t.TempDir(), "good", n.sign("one.test"))
	other := n.save(t.TempDir(), "other", n.sign("one.test"))
	tests := []struct {
		name   string
		change func(cfg *config.Config)
		want   string
	}{
		{"a file that is not there", func(cfg *config.Config) {
			cfg.TLS.Files = []config.CertFile{good, {Cert: missing, Key: good.Key}}
		}, "tls.files[1]: read certificate: open " + missing},
		{"a key of another certificate", func(cfg *config.Config) {
			cfg.TLS.Files = []config.CertFile{{Cert: good.Cert, Key: other.Key}}
		}, "private key does not match"},
		{"a missing authority of clients", func(cfg *config.Config) {
			cfg.TLS.ClientCerts = config.ClientCerts{Mode: "require", CA: missing}
		}, "tls.client_certs.ca: read authorities: open " + missing},
		{"a key in place of the authority of clients", func(cfg *config.Config) {
			cfg.TLS.ClientCerts = config.ClientCerts{Mode: "request", CA: good.Key}
		}, "holds no PEM certificate"},
		{"a missing authority of the directory", func(cfg *config.Config) {
			withACME(cfg, "https://acme.test/dir").TLS.ACME.DirectoryCA = missing
		}, "tls.acme.directory_ca: read authorities"},
		{"a port for challenges on which nobody listens", func(cfg *config.Config) {
			withACME(cfg, "https://acme.test/dir").TLS.ACME.TLSPort = 8443
		}, "tls.acme.tls_port: nothing listens on port 8443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			before := site("one.test")
			before.TLS.Files = []config.CertFile{good}
			conf := o.use(before)
			cfg := site("one.test")
			tt.change(cfg)
			if _, err := o.manager.Prepare(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if _, err := o.manager.TLSConfig(cfg); err == nil {
				t.Error("there is a tls.Config for what was refused")
			}
			if _, err := shake(t, conf, &tls.Config{ServerName: "one.test", RootCAs: n.pool()}); err != nil {
				t.Errorf("what was in use is not any more: %v", err)
			}
		})
	}
}

func TestManager_TLSConfigIsTheSameWhileTheSameIsAskedOfVisitors(t *testing.T) {
	n := newNotary(t)
	file := n.save(t.TempDir(), "one", n.sign("one.test"))
	ca := n.file()
	base := func() *config.Config {
		cfg := site("one.test")
		cfg.TLS.Files = []config.CertFile{file}
		cfg.TLS.ClientCerts = config.ClientCerts{Mode: "request", CA: ca}
		return cfg
	}
	tests := []struct {
		name   string
		change func(cfg *config.Config)
		same   bool
	}{
		{"nothing changed", func(*config.Config) {}, true},
		{"other certificates", func(cfg *config.Config) { cfg.TLS.Files[0] = n.save(t.TempDir(), "x", n.sign("x.test")) }, true},
		{"other hosts", func(cfg *config.Config) { cfg.Sites[0].Hosts = []string{"x.test"} }, true},
		{"the same authority in another file", func(cfg *config.Config) { cfg.TLS.ClientCerts.CA = n.file() }, true},
		{"another authority of clients", func(cfg *config.Config) { cfg.TLS.ClientCerts.CA = newNotary(t).file() }, false},
		{"certificates are required now", func(cfg *config.Config) { cfg.TLS.ClientCerts.Mode = "require" }, false},
		{"certificates are not asked any more", func(cfg *config.Config) { cfg.TLS.ClientCerts.Mode = "off" }, false},
		{"a newer oldest version", func(cfg *config.Config) { cfg.TLS.MinVersion = "1.3" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			before := o.use(base())
			cfg := base()
			tt.change(cfg)
			p, err := o.manager.Prepare(cfg)
			if err != nil {
				t.Fatal(err)
			}
			after, err := o.manager.TLSConfig(cfg) // before Use, as the front asks
			if err != nil {
				t.Fatal(err)
			}
			if (before == after) != tt.same {
				t.Errorf("the same pointer: %v, want %v", before == after, tt.same)
			}
			p.Discard()
			if _, err := o.manager.TLSConfig(cfg); err == nil {
				t.Error("there is still a tls.Config after Discard")
			}
		})
	}
}

func TestManager_VersionsAndClientCertificates(t *testing.T) {
	n, stranger := newNotary(t), newNotary(t)
	mine := []tls.Certificate{*n.sign("client")}
	theirs := []tls.Certificate{*stranger.sign("client")}
	tests := []struct {
		name, mode, version string
		client              *tls.Config
		ok                  bool
	}{
		{"TLS 1.2 where it is allowed", "off", "1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"TLS 1.2 where it is not", "off", "1.3", &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{"TLS 1.1 never", "off", "1.2", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{"none shown where one is requested", "request", "1.2", &tls.Config{}, true},
		{"one shown where it is requested", "request", "1.2", &tls.Config{Certificates: mine}, true},
		{"a wrong one where it is requested", "request", "1.2", &tls.Config{GetClientCertificate: show(theirs)}, false},
		{"none shown where one is required", "require", "1.2", &tls.Config{}, false},
		{"one shown where it is required", "require", "1.2", &tls.Config{Certificates: mine}, true},
		{"a wrong one where it is required", "require", "1.2", &tls.Config{GetClientCertificate: show(theirs)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			cfg := site("one.test")
			cfg.TLS.MinVersion = tt.version
			cfg.TLS.Files = []config.CertFile{n.save(t.TempDir(), "one", n.sign("one.test"))}
			cfg.TLS.ClientCerts = config.ClientCerts{Mode: tt.mode, CA: n.file()}
			client := tt.client
			client.ServerName, client.RootCAs = "one.test", n.pool()
			if _, err := shake(t, o.use(cfg), client); (err == nil) != tt.ok {
				t.Errorf("handshake: %v, want it to succeed: %v", err, tt.ok)
			}
		})
	}
}

// show shows a certificate whatever the server would take.
func show(list []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &list[0], nil }
}

func TestManager_ASessionOfYesterdayDoesNotOpenTodaysDoor(t *testing.T) {
	n := newNotary(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		o := newOffice(t)
		cfg := func(mode string) *config.Config {
			cfg := site("one.test")
			cfg.TLS.Files = []config.CertFile{n.save(t.TempDir(), "one", n.sign("one.test"))}
			cfg.TLS.ClientCerts = config.ClientCerts{Mode: mode, CA: n.file()}
			return cfg
		}
		client := &tls.Config{ServerName: "one.test", RootCAs: n.pool(), MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		open := o.use(cfg("off"))
		for i, want := range []bool{false, true} {
			state, err := shake(t, open, client)
			if err != nil || state.DidResume != want {
				t.Fatalf("visit %d: resumed %v (%v), want %v", i, state.DidResume, err, want)
			}
		}
		if reloaded := o.use(cfg("off")); reloaded != open {
			t.Error("a reload that asks for the same has another tls.Config")
		}
		if state, err := shake(t, open, client); err != nil || !state.DidResume {
			t.Errorf("after a reload of certificates: resumed %v, %v", state.DidResume, err)
		}
		if _, err := shake(t, o.use(cfg("require")), client); err == nil {
			t.Errorf("version %x: the old session got in without a certificate", version)
		}
	}
}

// deaf returns the directory of an authority that takes connections and never answers.
func deaf(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "https://" + l.Addr().String() + "/dir"
}

// stock puts a certificate on disk as if directory had issued it.
func (o *office) stock(n *notary, directory, name string, c *tls.Certificate) *authority {
	o.t.Helper()
	m := o.manager
	a := newAuthority(acmeSettings{directory: directory, challenges: "http-01,tls-alpn-01"}, nil, m.storage, m.challenges, o.certmagic(), m.log)
	chain, key := n.pems(c)
	keys, issuer := certmagic.StorageKeys, a.IssuerKey()
	for file, content := range map[string][]byte{
		keys.SiteCert(issuer, name):       chain,
		keys.SitePrivateKey(issuer, name): key,
		keys.SiteMeta(issuer, name):       []byte(`{"sans":["` + name + `"]}`),
	} {
		if err := m.storage.Store(context.Background(), file, content); err != nil {
			o.t.Fatal(err)
		}
	}
	return a
}

func TestManager_ServesFromDiskWhenTheAuthorityIsDeaf(t *testing.T) {
	n, o, directory := newNotary(t), newOffice(t), deaf(t)
	stored := n.sign("one.test")
	o.stock(n, directory, "one.test", stored)
	expired := n.signUntil(time.Now().Add(-time.Hour), "late.test")
	o.stock(n, directory, "late.test", expired)

	start := time.Now()
	conf := o.use(withACME(site("one.test", "two.test", "late.test"), directory))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the start took %s", took)
	}
	state, err := shake(t, conf, &tls.Config{ServerName: "one.test", RootCAs: n.pool()})
	if err != nil || !state.PeerCertificates[0].Equal(stored.Leaf) {
		t.Errorf("one.test: %v", err)
	}
	state, err = shake(t, conf, &tls.Config{ServerName: "late.test", InsecureSkipVerify: true})
	if err != nil || !state.PeerCertificates[0].Equal(expired.Leaf) {
		t.Errorf("one that has expired is served all the same: %v", err)
	}
	if o.log.has("level=ERROR", "has expired", "late.test") != 1 {
		t.Error("the log does not tell that it has expired")
	}
	for range 3 {
		_, err = shake(t, conf, &tls.Config{ServerName: "two.test", InsecureSkipVerify: true})
		if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("two.test: %v, want the alert unrecognized_name", err)
		}
	}
	if o.log.has("level=WARN", "turned away", "two.test") != 1 {
		t.Error("the log does not tell once that a visitor was turned away")
	}
	if count, _ := o.metric("evergate_tls_no_certificate_total", "why=pending"); count != 3 {
		t.Errorf("counted %v visitors turned away, want 3", count)
	}
	if _, err := shake(t, conf, &tls.Config{ServerName: "other.test", InsecureSkipVerify: true}); err == nil {
		t.Error("a name of nobody was served")
	}
	if _, err := os.Stat(o.dir); err != nil {
		t.Error(err)
	} else if info, _ := os.Stat(o.dir); info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %o", info.Mode().Perm())
	}
}

func TestManager_FilesComeBeforeTheAuthority(t *testing.T) {
	n, o, directory := newNotary(t), newOffice(t), deaf(t)
	cfg := withACME(site("one.test", "www.one.test"), directory)
	file := n.save(t.TempDir(), "one", n.sign("one.test", "*.one.test"))
	cfg.TLS.Files = []config.CertFile{file}
	conf := o.use(cfg)
	if count := len(o.manager.status()); count != 1 {
		t.Errorf("%d certificates are kept, want the one of the file", count)
	}
	// The file loses a name, and the authority takes over.
	chain, key := n.pems(n.sign("one.test"))
	n.write(file.Key, key)
	n.write(file.Cert, chain)
	eventually(t, "the name is kept by ACME", func() bool { return len(o.manager.status()) == 2 })
	if _, err := shake(t, conf, &tls.Config{ServerName: "www.one.test", InsecureSkipVerify: true}); err == nil {
		t.Error("www.one.test is served with a certificate for another name")
	}
}

func TestManager_ReloadsKeepOnlyTheNamesThatAreThere(t *testing.T) {
	n, o, directory := newNotary(t), newOffice(t), deaf(t)
	one := n.sign("one.test")
	o.stock(n, directory, "one.test", one)
	conf := o.use(withACME(site("one.test", "two.test"), directory))
	before := o.manager.keepers["one.test"]
	next := withACME(site("one.test"), directory)
	next.Sites[0].RedirectFrom = []string{"old.test"}
	next.TLS.ACME.RenewAt = 0.5
	if o.use(next) != conf {
		t.Error("another tls.Config")
	}
	if o.manager.keepers["one.test"] != before {
		t.Error("one.test has another keeper")
	}
	if before.share != 0.5 {
		t.Error("renew_at has not arrived")
	}
	for name, want := range map[string]bool{"one.test": true, "old.test": true, "two.test": false} {
		if (o.manager.keepers[name] != nil) != want {
			t.Errorf("%s is kept: %v", name, !want)
		}
	}
	// Another authority: what the former one gave stays in use.
	o.use(withACME(site("one.test"), deaf(t)))
	state, err := shake(t, conf, &tls.Config{ServerName: "one.test", RootCAs: n.pool()})
	if err != nil || !state.PeerCertificates[0].Equal(one.Leaf) {
		t.Errorf("after a change of authority: %v", err)
	}
	if k := o.manager.keepers["one.test"]; !k.foreign {
		t.Error("the certificate of the former authority is not going to be replaced")
	}
}

func TestManager_CloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	n, directory := newNotary(t), deaf(t)
	for range 3 {
		o := newOffice(t)
		cfg := withACME(site("one.test", "two.test"), directory)
		cfg.TLS.Files = []config.CertFile{n.save(t.TempDir(), "f", n.sign("file.test"))}
		o.use(cfg)
		o.use(withACME(site("three.test"), deaf(t)))
		eventually(t, "somebody waits for the authority", func() bool { return len(o.manager.current.acme.slots) > 0 })
		start := time.Now()
		o.manager.Close()
		o.manager.Close()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("Close took %s", took)
		}
		if _, err := o.manager.Prepare(cfg); err == nil {
			t.Error("Prepare after Close")
		}
	}
	eventually(t, fmt.Sprintf("%d goroutines as before", before), func() bool { return runtime.NumGoroutine() <= before })
}

func TestManager_ADiskThatRefusesIsReportedBeforeAnybodyIsAsked(t *testing.T) {
	n, o, directory := newNotary(t), newOffice(t), deaf(t)
	cfg := withACME(site("one.test"), directory)
	p, err := o.manager.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	// A file where the folder was: nothing can be written, by root neither.
	if err := errors.Join(os.RemoveAll(o.dir), os.WriteFile(o.dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	o.manager.Use(p)
	eventually(t, "the metrics tell", func() bool {
		_, failing := o.metric("evergate_cert_failing", "name=one.test", "why=disk")
		return failing
	})
	if count, _ := o.metric("evergate_cert_orders_total", "outcome=unreachable"); count != 0 {
		t.Error("the authority was asked although nothing could be kept")
	}
	_ = n
}

func TestManager_WithoutHTTPSNothingIsRead(t *testing.T) {
	o := newOffice(t)
	cfg := site("one.test")
	cfg.Listen.HTTPS = nil
	cfg.TLS.Local = true
	cfg.TLS.Files = []config.CertFile{{Cert: "missing", Key: "missing"}}
	p, err := o.manager.Prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	o.manager.Use(p)
	if _, err := os.Stat(o.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was made: %v", err)
	}
}

func BenchmarkManager_GetCertificate(b *testing.B) {
	n, o := newNotary(b), newOffice(b)
	cfg := site("one.test")
	cfg.TLS.Files = []config.CertFile{n.save(b.TempDir(), "one", n.sign("*.one.test"))}
	o.use(cfg)
	b.RunParallel(func(pb *testing.PB) {
		hello := modern("www.one.test")
		for pb.Next() {
			if c, err := o.manager.getCertificate(hello); c == nil || err != nil {
				b.Fatal(c, err)
			}
		}
	})
}
