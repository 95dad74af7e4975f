package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCheckFiles_IsSatisfiedWithGoodFiles(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, "a", "*.example.org")
	put(t, dir, "page.html", "<h1>{{.Title}}</h1>")
	put(t, dir, "own.html", "{{.Status}}")
	if problems, _ := CheckFiles(withFiles(t, dir), readable, time.Now()); problems != nil {
		t.Errorf("problems %v", problems)
	}
}

func TestCheckFiles_SaysEverythingThatIsWrong(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.pem", "not PEM")
	problems, _ := CheckFiles(withFiles(t, dir), readable, time.Now())
	want := []string{
		"f:3:15: tls.files[0]: read certificate DIR/a.pem with key DIR/a.key: ",
		"f:3:77: tls.client_certs.ca: read authorities DIR/a.pem: it holds no PEM certificate",
		"f:4:19: pages.template: open DIR/page.html: ",
		"f:6:49: origins.o.tls.ca: read authorities DIR/a.pem: it holds no PEM certificate",
		"f:6:62: origins.o.tls.cert: read certificate DIR/a.pem with key DIR/a.key: ",
		"f:9:44: sites[1].pages.template: open DIR/own.html: ",
	}
	if len(problems) != len(want) {
		t.Fatalf("problems:\n%v", &Problems{List: problems})
	}
	for i, p := range problems {
		if got := strings.ReplaceAll(p.String(), dir, "DIR"); !strings.HasPrefix(got, want[i]) {
			t.Errorf("problem %s, want %s", got, want[i])
		}
	}
}

func TestCheckFiles_WantsACertificateForPatternsThatACMECannotServe(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, "a", "www.example.org")
	c, _, err := Parse("f", dir, []byte(`
listen: {https: ":443"}
tls: {acme: {}, files: [{cert: a.pem, key: a.key}]}
sites: [{hosts: [a.example.org, "*.example.org"], routes: [{path: /*, respond: {}}]}]
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	problems, _ := CheckFiles(c, readable, time.Now())
	if len(problems) != 1 || problems[0].Path != "sites[0].hosts[1]" || problems[0].Line != 4 {
		t.Errorf("problems %v", problems)
	}
	certificate(t, dir, "a", "*.example.org")
	if problems, _ := CheckFiles(c, readable, time.Now()); problems != nil {
		t.Errorf("with a certificate: %v", problems)
	}
}

func TestCheckFiles_WarnsOfCertificatesThatDoNotHelp(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, "a", "*.example.org") // good for an hour
	c, _, err := Parse("f", dir, []byte(`
listen: {https: ":443"}
tls: {files: [{cert: a.pem, key: a.key}]}
sites: [{hosts: [www.Example.org, example.org, a.b.example.org], redirect_from: [old.example], routes: [{path: /*, respond: {}}]}]
`), environment)
	if err != nil {
		t.Fatal(err)
	}
	uncovered := []string{"sites[0].hosts[1]: no certificate", "sites[0].hosts[2]: no certificate", "sites[0].redirect_from[0]: no certificate"}
	tests := []struct {
		name string
		now  time.Time
		want string // of the certificate; "" for nothing
	}{
		{"one that is nearly over", time.Now().Add(time.Minute), "ends on"},
		{"one that is over", time.Now().Add(2 * time.Hour), "is over since"},
		{"one whose time has not come", time.Now().Add(-time.Hour), "is not good before"},
	}
	for _, tt := range tests {
		problems, warnings := CheckFiles(c, readable, tt.now)
		if problems != nil {
			t.Errorf("%s: problems %v", tt.name, problems)
		}
		want := append([]string{tt.want}, uncovered...)
		if len(warnings) != len(want) {
			t.Errorf("%s: warnings %v", tt.name, warnings)
			continue
		}
		for i, w := range warnings {
			if !strings.Contains(w.String(), want[i]) {
				t.Errorf("%s: %s, want %s", tt.name, w, want[i])
			}
		}
	}
}

// readable takes every page template that can be read for a good one.
func readable(path string) error {
	_, err := os.ReadFile(path)
	return err
}

// withFiles is a configuration that names files in dir in every way there is.
func withFiles(t *testing.T, dir string) *Config {
	t.Helper()
	text := `
listen: {https: ":443"}
tls: {files: [{cert: a.pem, key: a.key}], client_certs: {mode: require, ca: a.pem}}
pages: {template: page.html}
origins:
  o: {servers: ["https://a.example"], tls: {ca: a.pem, cert: a.pem, key: a.key}}
sites:
  - {hosts: [a.example], routes: [{path: /*, origin: o}]}
  - {hosts: [b.example], pages: {template: own.html}, routes: [{path: /*, origin: o}]}
`
	c, _, err := Parse("f", dir, []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate writes name.pem and name.key into dir.
func certificate(t *testing.T, dir, name, host string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	put(t, dir, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func TestCheckFiles_ChecksTheFilesOfOperators(t *testing.T) {
	dir := t.TempDir()
	text := `
listen: {http: ":80"}
admin: {tls: {cert: admin.pem, key: admin.key}}
keys: {sticky: {file: sticky.key}}
sites: [{hosts: [a], routes: [{path: /, respond: {}}]}]
`
	c, _, err := Parse("f", dir, []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	problems, _ := CheckFiles(c, readable, time.Now())
	if len(problems) != 2 || problems[0].Path != "admin.tls" || problems[0].Line != 3 || problems[1].Path != "keys.sticky.file" || problems[1].Line != 4 {
		t.Errorf("nothing is there: %v", problems)
	}
	certificate(t, dir, "admin", "door")
	put(t, dir, "sticky.key", "a key")
	problems, warnings := CheckFiles(c, readable, time.Now())
	if len(problems) > 0 || len(warnings) != 1 || warnings[0].Path != "admin.tls" || !strings.Contains(warnings[0].Message, "ends on") {
		t.Errorf("all is there: %v, %v", problems, warnings)
	}
	if err := os.Chmod(filepath.Join(dir, "sticky.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, warnings := CheckFiles(c, readable, time.Now()); len(warnings) != 2 || warnings[1].Path != "keys.sticky.file" {
		t.Errorf("everybody can read the key: %v", warnings)
	}
}
