package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/server"
)

// evergate runs the whole of Evergate until the test ends.
func (w *town) evergate(yaml string) (s *server.Server, file string, log *lockedBuffer) {
	w.t.Helper()
	file, log = filepath.Join(w.t.TempDir(), "evergate.yaml"), &lockedBuffer{}
	w.write(file, yaml)
	ready := make(chan server.Addresses, 1)
	s, err := server.New(file, server.Options{Log: log, Stdout: log, Ready: func(a server.Addresses) { ready <- a }})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("run: %v", err)
		}
		if w.t.Failed() {
			w.t.Logf("evergate:\n%s", log.String())
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		w.t.Fatalf("run ended: %v", err)
	case <-time.After(10 * time.Second):
		w.t.Fatal("not ready")
	}
	return s, file, log
}

func (w *town) write(file, content string) {
	w.t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// status asks the door for https://name/ and returns the status, 0 if there was
// no answer. It does not look at the certificate.
func (w *town) status(name string) int {
	client := &http.Client{
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, w.https)
			},
		},
	}
	response, err := client.Get("https://" + name + "/")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// closedSites is a configuration whose sites let nobody in.
func (w *town) closedSites(hosts string) string {
	return fmt.Sprintf(`
node: {data_dir: %q}
listen: {http: %q, https: %q, admin: ""}
drain: {accept_grace: 0s, timeout: 1s}
tls:
  acme: {directory: %q, directory_ca: %q, challenges: [http-01]}
sites:
  - hosts: [closed.test]
    maintenance: true
    routes: [{path: /*, respond: {body: hello}}]
  - hosts: [denied.test]
    access: {deny: [0.0.0.0/0]}
    routes: [{path: /*, respond: {body: hello}}]
  - hosts: [allowed.test]
    access: {allow: [192.0.2.1/32]}
    http: serve
    redirect_from: [moved.test]
    routes: [{path: /*, respond: {body: hello}}]
%s`, w.dir, w.http, w.https, w.ca.directory(), w.ca.ca(), hosts)
}

func TestNothingThatKeepsVisitorsOutKeepsTheAuthorityOut(t *testing.T) {
	w := newTown(t, quarter, nil, "closed.test", "denied.test", "allowed.test", "moved.test", "late.test")
	w.ca.start()
	s, file, log := w.evergate(w.closedSites(""))
	for name, want := range map[string]int{
		"closed.test":  http.StatusServiceUnavailable,
		"denied.test":  http.StatusForbidden,
		"allowed.test": http.StatusForbidden,
		"moved.test":   http.StatusPermanentRedirect,
	} {
		var got int
		eventually(t, 20*time.Second, "a certificate for "+name, func() bool { got = w.status(name); return got != 0 })
		if got != want {
			t.Errorf("%s answers %d, want %d", name, got, want)
		}
	}

	// A name that comes with a reload gets its certificate in the same way.
	w.write(file, w.closedSites("  - hosts: [late.test]\n    maintenance: true\n    routes: [{path: /*, respond: {body: hello}}]\n"))
	if result := s.Reload("test"); !result.OK {
		t.Fatalf("reload: %v", result.Problems)
	}
	eventually(t, 20*time.Second, "a certificate for late.test", func() bool { return w.status("late.test") != 0 })
	if n := log.count(`"certificate issued"`); n != 5 {
		t.Errorf("%d certificates issued, want 5", n)
	}
	if w.ca.log.count("Attempting to validate w/ HTTP") == 0 {
		t.Error("the authority has validated nothing")
	}
}
