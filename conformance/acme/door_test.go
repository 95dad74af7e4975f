package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/certs"
	"github.com/evergate/evergate/internal/edge/gateway/front"
)

// retry is the first wait after a failed order in these tests.
const retry = 200 * time.Millisecond

// town is a test's small world: a name server, an authority, and the addresses
// on which the door listens.
type town struct {
	t           testing.TB
	dns         *nameServer
	ca          *pebble
	http, https string // of the door, whether it is open or not
	dir         string // data of the door; stays when it is closed
}

// newTown returns a town in which each of hosts is a name of the door. The
// authority does not run yet.
func newTown(t testing.TB, life time.Duration, blocked []string, hosts ...string) *town {
	t.Helper()
	if testing.Short() {
		t.Skip("talks to an authority in a process of its own: left out of the quick tests")
	}
	w := &town{t: t, http: freeAddress(t), https: freeAddress(t), dir: t.TempDir()}
	names := map[string]string{}
	for _, h := range hosts {
		names[h] = "127.0.0.1"
	}
	w.dns = newNameServer(t, names)
	w.ca = newPebble(t, authorityOptions{httpPort: port(w.http), tlsPort: port(w.https), life: life, blocked: blocked, dns: w.dns.address})
	return w
}

func port(address string) int {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		panic(err)
	}
	return a.Port
}

// yaml is a configuration in which acme are further keys of tls.acme, tlsKeys of tls.
func (w *town) yaml(acme, tlsKeys string, hosts ...string) string {
	return fmt.Sprintf(`
node: {data_dir: %q}
listen: {http: %q, https: %q, admin: ""}
tls:
  acme: {directory: %q, directory_ca: %q%s}
%s
sites:
  - hosts: [%s]
    routes: [{path: /*, respond: {body: hello}}]
`, w.dir, w.http, w.https, w.ca.directory(), w.ca.ca(), acme, tlsKeys, strings.Join(hosts, ", "))
}

// config reads a configuration as Evergate does.
func (w *town) config(yaml string) *config.Config {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "evergate.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		w.t.Fatal(err)
	}
	cfg, _, err := config.Load(file)
	if err != nil {
		w.t.Fatal(err)
	}
	return cfg
}

// door is the front with its certificates, before a handler that says hello.
type door struct {
	town     *town
	front    *front.Front
	certs    *certs.Manager
	registry *prometheus.Registry
	log      lockedBuffer

	byHTTP, byALPN atomic.Int32 // challenges answered
}

// open starts a door; it is closed at the end of the test, or by close.
func (w *town) open(yaml string) *door {
	w.t.Helper()
	d := &door{town: w, registry: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d.certs = certs.New(certs.Options{Dir: filepath.Join(w.dir, "certs"), Log: log, Registerer: d.registry, Poll: 50 * time.Millisecond, Retry: retry, Info: retry})
	d.front = front.New(front.Options{
		Handler:      http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "hello") }),
		Certificates: d,
		Log:          log,
	})
	w.t.Cleanup(func() {
		d.close()
		if w.t.Failed() {
			w.t.Logf("door:\n%s", d.log.String())
		}
	})
	d.reload(yaml)
	return d
}

// reload puts another configuration to use.
func (d *door) reload(yaml string) {
	d.town.t.Helper()
	cfg := d.town.config(yaml)
	p, err := d.certs.Prepare(cfg)
	if err != nil {
		d.town.t.Fatal(err)
	}
	d.certs.Use(p)
	if err := d.front.Apply(cfg); err != nil {
		d.town.t.Fatal(err)
	}
}

// close ends the door at once.
func (d *door) close() {
	d.front.Close()
	d.certs.Close()
}

// TLSConfig is front.Certificates; it counts validations.
func (d *door) TLSConfig(cfg *config.Config) (*tls.Config, error) {
	conf, err := d.certs.TLSConfig(cfg)
	if err != nil {
		return nil, err
	}
	counted := conf.Clone()
	counted.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		special, err := conf.GetConfigForClient(hello)
		if special != nil {
			d.byALPN.Add(1)
		}
		return special, err
	}
	return counted, nil
}

// HTTPChallenge is front.Certificates; it counts validations.
func (d *door) HTTPChallenge(next http.Handler) http.Handler {
	return d.certs.HTTPChallenge(next)
}

// handshake connects as a visitor of name, and does not look whether the
// certificate is one that it trusts.
func (d *door) handshake(name string) (*x509.Certificate, error) {
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{ServerName: name, InsecureSkipVerify: true}}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := dialer.DialContext(ctx, "tcp", d.town.https)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// served waits until name has a certificate and returns it.
func (d *door) served(name string) *x509.Certificate {
	d.town.t.Helper()
	var leaf *x509.Certificate
	eventually(d.town.t, 20*time.Second, "a certificate for "+name, func() bool {
		var err error
		leaf, err = d.handshake(name)
		return err == nil
	})
	return leaf
}

// get asks for https://name/ with trust in the authority only.
func (d *door) get(name string, roots *x509.CertPool) error {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, d.town.https)
		},
	}}
	response, err := client.Get("https://" + name + "/")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && string(body) != "hello" {
		err = fmt.Errorf("status %d, body %q", response.StatusCode, body)
	}
	return err
}

// metric returns the value of a series, 0 if there is none. labels are "name=value".
func (d *door) metric(name string, labels ...string) float64 {
	d.town.t.Helper()
	return metric(d.town.t, d.registry, name, labels...)
}

func metric(t testing.TB, registry prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetName()+"="+l.GetValue() == want
				}
				if !found {
					continue series
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return 0
}
