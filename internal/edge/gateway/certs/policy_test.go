package certs

import (
	"crypto/tls"
	"github.com/evergate/evergate/internal/config"
	"testing"
)

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
