package server

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/config"
)

// adminPair is the certificate N of a, in dir, as admin.tls names it.
func adminPair(dir string, n int) config.CertFile {
	return config.CertFile{Cert: filepath.Join(dir, fmt.Sprintf("%d.pem", n)), Key: filepath.Join(dir, fmt.Sprintf("%d.key", n))}
}

// copyFile puts the content of from into the place of to, as a renewal does.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

func TestCertFile_TakesOverWhatIsRenewed(t *testing.T) {
	authority, dir := newAuthority(t), t.TempDir()
	first, second := authority.issue(t, dir, 1), authority.issue(t, dir, 2)
	log := new(syncBuffer)
	files := adminPair(dir, 1)
	c, err := openCertFile(files, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	shown := func() *x509.Certificate {
		t.Helper()
		c.looked = c.looked.Add(-certFileEvery)
		cert, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert.Leaf
	}
	if !shown().Equal(first) {
		t.Fatal("not the first one")
	}
	broken := []struct {
		name  string
		spoil func(t *testing.T)
	}{
		{"a certificate without its new key", func(t *testing.T) { copyFile(t, adminPair(dir, 2).Cert, files.Cert) }},
		{"an empty certificate", func(t *testing.T) {
			if err := os.WriteFile(files.Cert, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"no certificate", func(t *testing.T) {
			if err := os.Remove(files.Cert); err != nil {
				t.Fatal(err)
			}
		}},
		{"a folder as the key", func(t *testing.T) {
			if err := os.Remove(files.Key); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(files.Key, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, tt := range broken {
		t.Run(tt.name+" changes nothing and is told once", func(t *testing.T) {
			before := strings.Count(log.String(), "goes on with its old certificate")
			tt.spoil(t)
			for range 3 {
				if !shown().Equal(first) {
					t.Error("it is not the one from before")
				}
			}
			if n := strings.Count(log.String(), "goes on with its old certificate") - before; n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	copyFile(t, adminPair(dir, 2).Key, files.Key)
	copyFile(t, adminPair(dir, 2).Cert, files.Cert)
	if !shown().Equal(second) || !strings.Contains(log.String(), "has a new certificate") {
		t.Errorf("the new pair is not taken over:\n%s", log)
	}
}

func TestCertFile_IsNotLookedAtForEachConnection(t *testing.T) {
	authority, dir := newAuthority(t), t.TempDir()
	first := authority.issue(t, dir, 1)
	authority.issue(t, dir, 2)
	c, err := openCertFile(adminPair(dir, 1), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, adminPair(dir, 2).Key, adminPair(dir, 1).Key)
	copyFile(t, adminPair(dir, 2).Cert, adminPair(dir, 1).Cert)
	c.looked = time.Now() // the test may have been slow
	if cert, err := c.get(nil); err != nil || !cert.Leaf.Equal(first) {
		t.Errorf("%v, %v", cert, err)
	}
}

func TestOpenCertFile_SaysWhichFileIsWrong(t *testing.T) {
	authority, dir := newAuthority(t), t.TempDir()
	authority.issue(t, dir, 1)
	authority.issue(t, dir, 2)
	good := adminPair(dir, 1)
	for name, files := range map[string]config.CertFile{
		"no certificate":            {Cert: filepath.Join(dir, "none.pem"), Key: good.Key},
		"no key":                    {Cert: good.Cert, Key: filepath.Join(dir, "none.key")},
		"the key of another":        {Cert: good.Cert, Key: adminPair(dir, 2).Key},
		"both in each other's file": {Cert: good.Key, Key: good.Cert},
		"a folder":                  {Cert: good.Cert, Key: dir},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openCertFile(files, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), "admin.tls") || !strings.Contains(err.Error(), dir) {
				t.Errorf("said %v", err)
			}
		})
	}
	if os.Geteuid() == 0 {
		return // root may read everything
	}
	if err := os.Chmod(good.Key, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := openCertFile(good, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), good.Key) {
		t.Errorf("a key that this user may not read: %v", err)
	}
}

func TestAdmin_TLSIsSwitchedByAReloadWithoutClosingThePort(t *testing.T) {
	authority, dir := newAuthority(t), t.TempDir()
	first, second := authority.issue(t, dir, 1), authority.issue(t, dir, 2)
	a := openAdmin(t, config.Listen{Admin: "127.0.0.1:0"}, func() (bool, string) { return true, "ready" })
	address := a.address()
	reload := func(pair *config.CertFile) error {
		p, err := a.prepare(&config.Config{Listen: config.Listen{Admin: "127.0.0.1:0"}, Admin: config.Admin{TLS: pair}})
		if err != nil {
			return err
		}
		if changes := a.use(p); len(changes) != 0 {
			t.Errorf("the port was closed: %v", changes)
		}
		return nil
	}
	healthy := func(scheme string) error {
		transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: authority.pool, ServerName: "door.example"}}
		resp, err := (&http.Client{Transport: transport}).Get(scheme + "://" + address + "/healthz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 {
			return fmt.Errorf("answered %d %q, %w", resp.StatusCode, body, err)
		}
		return nil
	}
	shows := func(want *x509.Certificate) {
		t.Helper()
		if got := presented(t, authority, address); !got.Equal(want) {
			t.Errorf("the certificate is number %s, want %s", got.SerialNumber, want.SerialNumber)
		}
	}

	one, two := adminPair(dir, 1), adminPair(dir, 2)
	if err := reload(&one); err != nil {
		t.Fatal(err)
	}
	shows(first)
	if err := healthy("https"); err != nil {
		t.Error(err)
	}
	if err := healthy("http"); err == nil {
		t.Error("plain HTTP is still served")
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: authority.pool, ServerName: "door.example", MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if err := reload(&two); err != nil {
		t.Fatal(err)
	}
	shows(second)
	bad := config.CertFile{Cert: one.Cert, Key: two.Key}
	if err := reload(&bad); err == nil {
		t.Error("a pair that is none was taken")
	}
	shows(second)
	if err := reload(nil); err != nil {
		t.Fatal(err)
	}
	if err := healthy("http"); err != nil {
		t.Errorf("plain again: %v", err)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: authority.pool, ServerName: "door.example"}); err == nil {
		t.Error("TLS is still spoken")
	}
}
