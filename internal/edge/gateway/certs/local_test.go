package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trust is what a client knows that was given the file of the local authority.
func (o *office) trust() *x509.CertPool {
	o.t.Helper()
	pool, _, err := readPool(filepath.Join(o.dir, "local", "ca.pem"))
	if err != nil {
		o.t.Fatal(err)
	}
	return pool
}

func TestLocal_ServesTheNamesOfTheConfiguration(t *testing.T) {
	o := newOffice(t)
	cfg := site("one.test", "*.two.test", "127.0.0.1")
	cfg.TLS.Local = true
	conf := o.use(cfg)
	tests := []struct {
		name, asked string
		ok          bool
	}{
		{"a host", "one.test", true},
		{"a name below a pattern", "shop.two.test", true},
		{"localhost, always", "localhost", true},
		{"an address", "127.0.0.1", true},
		{"a name that is not served", "other.test", false},
		{"a name below a host", "www.one.test", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Go's client sends no name for an address, as browsers do.
			_, err := shake(t, conf, &tls.Config{ServerName: tt.asked, RootCAs: o.trust()})
			if (err == nil) != tt.ok {
				t.Errorf("handshake: %v, want it to succeed: %v", err, tt.ok)
			}
		})
	}
	if o.log.has("level=INFO", "trust it by this file", filepath.Join(o.dir, "local", "ca.pem")) != 1 {
		t.Error("the log does not tell where the authority is")
	}
	if _, ok := o.metric("evergate_cert_expiry_timestamp_seconds", "name=one.test", "source=local"); !ok {
		t.Error("no expiry in the metrics")
	}
}

func TestLocal_TheSiteForAllOtherHostsGetsCertificatesOnDemand(t *testing.T) {
	o := newOffice(t)
	cfg := site("*")
	cfg.TLS.Local = true
	conf := o.use(cfg)
	for _, name := range []string{"any.test", "other.example", "localhost"} {
		if _, err := shake(t, conf, &tls.Config{ServerName: name, RootCAs: o.trust()}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	local := o.manager.current.local
	for i := range 2*localDemanded + 10 {
		local.forVisitor(fmt.Sprintf("n%d.test", i), time.Now())
	}
	if n := len(local.demanded); n > localDemanded {
		t.Errorf("%d certificates are kept, want at most %d", n, localDemanded)
	}
	for _, name := range []string{"", "a b.test", "..", "*.test", "a..b", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 127) + "test", "ü.test"} {
		if local.forVisitor(name, time.Now()) != nil {
			t.Errorf("a certificate for %q", name)
		}
	}
}

func TestLocal_TheAuthorityStaysOverRestarts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "local")
	first, err := openLocal(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	second, err := openLocal(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !first.root.Equal(second.root) {
		t.Error("another authority")
	}
	info, err := os.Stat(filepath.Join(dir, "ca-key.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key: %v, %v", info.Mode(), err)
	}
	third, err := openLocal(dir, time.Now().Add(localRootLife))
	if err != nil {
		t.Fatal(err)
	}
	if first.root.Equal(third.root) {
		t.Error("an authority that has ended is still in use")
	}
}

func TestLocal_FilesThatAreBrokenAreNotOverwritten(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(dir string) error
		ok    bool
	}{
		{"the key is gone", func(dir string) error { return os.Remove(filepath.Join(dir, "ca-key.pem")) }, false},
		{"the key is rubbish", func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca-key.pem"), []byte("x"), 0o600) }, false},
		{"the certificate is torn", func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.pem"), 30) }, false},
		{"the certificate was never written", func(dir string) error { return os.Remove(filepath.Join(dir, "ca.pem")) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := openLocal(dir, time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := openLocal(dir, time.Now()); (err == nil) != tt.ok {
				t.Errorf("got %v, want it to open: %v", err, tt.ok)
			}
		})
	}
}

func TestLocal_LeavesAreMadeAnewInTime(t *testing.T) {
	a, err := openLocal(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	first, err := a.forName("one.test", now)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := a.forName("one.test", now.Add(localLeafLife/2)); again != first {
		t.Error("made anew after half its life")
	}
	later, err := a.forName("one.test", now.Add(localLeafLife*3/4))
	if err != nil || later == first {
		t.Errorf("not made anew when a quarter is left: %v", err)
	}
}

func FuzzIsHost(f *testing.F) {
	a, err := openLocal(f.TempDir(), time.Now())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"one.test", "127.0.0.1", "::1", "", "a_b.test", "*.x", "xn--bcher-kva.test", "a\x00b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c := a.forVisitor(name, time.Now())
		if c == nil {
			if isHost(name) {
				t.Fatalf("%q is a host and got no certificate", name)
			}
			return
		}
		if err := c.Leaf.VerifyHostname(name); err != nil && !strings.Contains(name, "_") && !strings.HasPrefix(name, "-") && !strings.Contains(name, "-.") && !strings.HasSuffix(name, "-") && !strings.Contains(name, ".-") {
			t.Fatalf("%q: %v", name, err)
		}
	})
}
