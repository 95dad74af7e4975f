package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

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
