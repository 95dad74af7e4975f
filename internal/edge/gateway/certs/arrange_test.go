package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/evergate/evergate/internal/config"
)

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

func TestManager_ADiskThatRefusesIsReportedBeforeAnybodyIsAsked(t *testing.T) {
	o, directory := newOffice(t), deaf(t)
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
}
