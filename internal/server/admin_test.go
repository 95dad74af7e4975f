package server

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/config"
)

// openAdmin returns an open admin listener for cfg, with ready as its readiness.
func openAdmin(t *testing.T, listen config.Listen, ready func() (bool, string)) *admin {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "evergate_test"}))
	gate, err := api.NewGate(api.GateOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	a := newAdmin(adminOptions{
		Registry: registry, Ready: ready, API: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler), Host: gate.HostCheck,
		Admins: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("as") != "admin" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		},
	})
	reopenAdmin(t, a, listen)
	t.Cleanup(func() { a.close(t.Context()) })
	return a
}

func reopenAdmin(t *testing.T, a *admin, listen config.Listen) []string {
	t.Helper()
	p, err := a.prepare(&config.Config{Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	return a.use(p)
}

// get asks address for path as host and returns status and body.
func get(t *testing.T, address, path, host string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestAdmin_Answers(t *testing.T) {
	ready := func() (bool, string) { return true, "ready" }
	draining := func() (bool, string) { return false, "draining" }
	tests := []struct {
		name       string
		ready      func() (bool, string)
		pprof      bool
		path, host string
		status     int
		body       string
	}{
		{"metrics", ready, false, "/metrics", "", 200, "evergate_test 0"},
		{"health", draining, false, "/healthz", "", 200, "ok"},
		{"readiness", ready, false, "/readyz", "", 200, "ready"},
		{"readiness while draining", draining, false, "/readyz", "", 503, "draining"},
		{"no profiles unless asked for", ready, false, "/debug/pprof/?as=admin", "", 404, "listen.pprof"},
		{"profiles when asked for", ready, true, "/debug/pprof/?as=admin", "", 200, "goroutine"},
		{"profiles only for admins", ready, true, "/debug/pprof/", "", 401, ""},
		{"localhost is us", ready, false, "/healthz", "localhost:8090", 200, "ok"},
		{"an IPv6 address is us", ready, false, "/healthz", "[::1]:8090", 200, "ok"},
		{"an IPv6 address without port is us", ready, false, "/healthz", "[::1]", 200, "ok"},
		{"a foreign name is not us", ready, false, "/metrics", "evil.example:8090", 421, "admin listener"},
		{"nothing else is here", ready, false, "/", "", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := openAdmin(t, config.Listen{Admin: "127.0.0.1:0", Pprof: tt.pprof}, tt.ready)
			status, body := get(t, a.address(), tt.path, tt.host)
			if status != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("%s answered %d %q, want %d with %q", tt.path, status, body, tt.status, tt.body)
			}
		})
	}
}

func TestAdmin_Reload(t *testing.T) {
	a := openAdmin(t, config.Listen{Admin: "127.0.0.1:0"}, func() (bool, string) { return true, "ready" })
	first := a.address()

	if changes := reopenAdmin(t, a, config.Listen{Admin: "127.0.0.1:0", Pprof: true}); len(changes) != 0 || a.address() != first {
		t.Errorf("the same address was changed: %v", changes)
	}
	if status, _ := get(t, first, "/debug/pprof/cmdline?as=admin", ""); status != 200 {
		t.Errorf("pprof was not switched on: %d", status)
	}

	if _, err := a.prepare(&config.Config{Listen: config.Listen{Admin: first}}); err == nil || !strings.Contains(err.Error(), "listen.admin") {
		t.Errorf("an address in use: %v", err)
	}
	if status, _ := get(t, first, "/healthz", ""); status != 200 {
		t.Errorf("after a refused change: %d", status)
	}

	p, err := a.prepare(&config.Config{Listen: config.Listen{Admin: "localhost:0"}})
	if err != nil {
		t.Fatal(err)
	}
	if changes := a.use(p); len(changes) != 2 {
		t.Errorf("changes: %v", changes)
	}
	if status, _ := get(t, a.address(), "/healthz", ""); status != 200 {
		t.Errorf("at the new address: %d", status)
	}

	if changes := reopenAdmin(t, a, config.Listen{}); len(changes) != 1 || a.address() != "" {
		t.Errorf("switched off: %v, still at %q", changes, a.address())
	}
}
