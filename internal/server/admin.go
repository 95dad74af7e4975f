package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/evergate/evergate/internal/config"
)

// admin is the operators' listener: metrics, health and, when asked for,
// profiles. It changes nothing, so it asks for no password; but it is meant for
// loopback, and a request for a foreign host name is refused, because a web page
// could make an operator's browser send it (DNS rebinding).
type admin struct {
	log   *slog.Logger
	mux   *http.ServeMux
	ready func() (bool, string) // whether traffic is welcome, and a word why

	pprof atomic.Bool
	host  atomic.Pointer[string] // host of listen.admin, as configured

	mu       sync.Mutex // guards the fields below
	addr     string     // as configured, "" while closed
	listener net.Listener
	http     *http.Server
	served   chan error
}

// newAdmin returns an admin listener that is not open yet.
func newAdmin(registry *prometheus.Registry, ready func() (bool, string), log *slog.Logger) *admin {
	a := &admin{log: log, mux: http.NewServeMux(), ready: ready}
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError,
	}))
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	a.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ok, why := a.ready()
		if !ok {
			say(w, http.StatusServiceUnavailable, why)
			return
		}
		say(w, http.StatusOK, why)
	})
	profile := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !a.pprof.Load() {
				say(w, http.StatusNotFound, "profiles are off; set listen.pprof")
				return
			}
			h(w, r)
		}
	}
	a.mux.HandleFunc("/debug/pprof/", profile(pprof.Index))
	a.mux.HandleFunc("/debug/pprof/cmdline", profile(pprof.Cmdline))
	a.mux.HandleFunc("/debug/pprof/profile", profile(pprof.Profile))
	a.mux.HandleFunc("/debug/pprof/symbol", profile(pprof.Symbol))
	a.mux.HandleFunc("/debug/pprof/trace", profile(pprof.Trace))
	return a
}

// pending is a listener that was opened for a configuration and is not used yet.
type pending struct {
	cfg      *config.Config
	listener net.Listener // nil: the address did not change, or there is none
}

// prepare opens what cfg asks for and is not open, without using it: a reload
// that fails later calls drop and nothing has changed.
func (a *admin) prepare(cfg *config.Config) (*pending, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &pending{cfg: cfg}
	if cfg.Listen.Admin == "" || cfg.Listen.Admin == a.addr {
		return p, nil
	}
	listener, err := net.Listen("tcp", cfg.Listen.Admin)
	if err != nil {
		return nil, explained(fmt.Errorf("listen.admin: %w", err))
	}
	p.listener = listener
	return p, nil
}

// drop closes what prepare opened.
func (p *pending) drop() {
	if p != nil && p.listener != nil {
		p.listener.Close()
	}
}

// use serves on what prepare opened and closes what is not wanted any more.
// It returns the changes in words.
func (a *admin) use(p *pending) (changes []string) {
	a.pprof.Store(p.cfg.Listen.Pprof)
	a.mu.Lock()
	defer a.mu.Unlock()
	want := p.cfg.Listen.Admin
	if want == a.addr {
		return nil
	}
	if a.http != nil {
		changes = append(changes, "closed admin "+a.addr)
		a.shut(context.Background())
	}
	if p.listener == nil {
		return changes
	}
	host, _, _ := net.SplitHostPort(want)
	a.host.Store(&host)
	a.addr, a.listener = want, p.listener
	a.http = &http.Server{
		Handler:           http.HandlerFunc(a.serve),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	a.served = make(chan error, 1)
	go func(server *http.Server, listener net.Listener, served chan<- error) {
		err := server.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("serve admin listener", "error", err)
		}
		served <- err
	}(a.http, a.listener, a.served)
	return append(changes, "opened admin "+a.listener.Addr().String())
}

// address is where the listener really is, "" while it is closed.
func (a *admin) address() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listener == nil {
		return ""
	}
	return a.listener.Addr().String()
}

// close stops serving.
func (a *admin) close(ctx context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shut(ctx)
}

// shut ends the server that runs. Scrapes are short; a profile of half a minute
// is not worth waiting for.
func (a *admin) shut(ctx context.Context) {
	if a.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if a.http.Shutdown(ctx) != nil {
		a.http.Close()
	}
	<-a.served
	a.http, a.listener, a.addr = nil, nil, ""
}

func (a *admin) serve(w http.ResponseWriter, r *http.Request) {
	if !a.ownHost(r.Host) {
		say(w, http.StatusMisdirectedRequest, "this is the admin listener of Evergate; ask for it by address, localhost, or the name in listen.admin")
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a.mux.ServeHTTP(w, r)
}

// ownHost reports whether the Host of a request is one that no foreign web page
// can have: an address, localhost, or the configured name.
func (a *admin) ownHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	if _, err := netip.ParseAddr(trimBrackets(host)); err == nil {
		return true
	}
	configured := a.host.Load()
	return configured != nil && *configured != "" && host == *configured
}

func trimBrackets(host string) string {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}

// say answers with one line of text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
