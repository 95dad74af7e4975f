package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/evergate/evergate/internal/config"
)

// adminOptions are what the operators' listeners serve.
type adminOptions struct {
	Registry *prometheus.Registry
	Ready    func() (bool, string)           // whether traffic is welcome, and a word why
	API      http.Handler                    // of /api/; finds out itself who asks
	Admins   func(http.Handler) http.Handler // lets only admins through
	// Host lets only requests for this machine through, by its addresses or names.
	Host func(next http.Handler, names func() []string) http.Handler
	Log  *slog.Logger
}

// admin is what operators meet: metrics and health for everybody who can reach
// it, the API for those who say who they are, and profiles when asked for. It is
// served on the TCP listener, which changes with the configuration, and on the
// unix socket, which does not.
type admin struct {
	log   *slog.Logger
	host  func(next http.Handler, names func() []string) http.Handler
	mux   *http.ServeMux
	pprof atomic.Bool
	hosts atomic.Pointer[[]string] // names by which the TCP listener may be asked

	mu       sync.Mutex // guards the fields below
	addr     string     // as configured, "" while closed
	listener *adminListener
	http     *http.Server
	served   chan error
	retired  sync.WaitGroup // servers of former addresses that still have to end
}

// newAdmin returns an admin whose TCP listener is not open yet.
func newAdmin(o adminOptions) *admin {
	a := &admin{log: o.Log, host: o.Host, mux: http.NewServeMux()}
	a.hosts.Store(new([]string))
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError,
		// Everybody may ask for them, and read slowly.
		MaxRequestsInFlight: maxScrapes,
	}))
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	a.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ok, why := o.Ready()
		if !ok {
			say(w, http.StatusServiceUnavailable, why)
			return
		}
		say(w, http.StatusOK, why)
	})
	a.mux.Handle("/api", o.API)
	a.mux.Handle("/api/", o.API)
	profile := func(h http.HandlerFunc) http.Handler {
		return o.Admins(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !a.pprof.Load() {
				say(w, http.StatusNotFound, "profiles are off; set listen.pprof")
				return
			}
			h(w, r)
		}))
	}
	a.mux.Handle("/debug/pprof/", profile(pprof.Index))
	a.mux.Handle("/debug/pprof/cmdline", profile(pprof.Cmdline))
	a.mux.Handle("/debug/pprof/profile", profile(pprof.Profile))
	a.mux.Handle("/debug/pprof/symbol", profile(pprof.Symbol))
	a.mux.Handle("/debug/pprof/trace", profile(pprof.Trace))
	return a
}

// pending is what was opened for a configuration and is not used yet.
type pending struct {
	cfg      *config.Config
	listener net.Listener // nil: the one that is open stays, or there is none
	cert     *certFile    // nil: no TLS
}

// prepare opens what cfg asks for, beside what is in use. After a later step
// that fails call drop and nothing has changed.
func (a *admin) prepare(cfg *config.Config) (*pending, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &pending{cfg: cfg}
	if cfg.Listen.Admin == "" {
		return p, nil
	}
	var err error
	if cfg.Admin.TLS != nil {
		if p.cert, err = openCertFile(*cfg.Admin.TLS, a.log); err != nil {
			return nil, err
		}
	}
	if cfg.Listen.Admin == a.addr {
		return p, nil
	}
	if p.listener, err = net.Listen("tcp", cfg.Listen.Admin); err != nil {
		return nil, explained(fmt.Errorf("listen.admin: %w", err))
	}
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
	hosts := slices.Clone(p.cfg.Admin.Hosts)
	if host, _, err := net.SplitHostPort(p.cfg.Listen.Admin); err == nil {
		hosts = append(hosts, host)
	}
	a.hosts.Store(&hosts)
	a.mu.Lock()
	defer a.mu.Unlock()
	if want := p.cfg.Listen.Admin; want != a.addr {
		if a.http != nil {
			changes = append(changes, "closed admin "+a.addr)
			a.retire()
		}
		if p.listener != nil {
			a.open(want, p)
			changes = append(changes, "opened admin "+a.listener.Addr().String())
		}
	}
	if a.listener != nil {
		a.listener.serveTLS(p.cert)
	}
	return changes
}

// open serves on the listener of p, which is at addr as configured.
func (a *admin) open(addr string, p *pending) {
	a.addr, a.listener = addr, &adminListener{Listener: p.listener}
	a.listener.serveTLS(p.cert) // before the first connection
	a.http = newAdminServer(a.host(a.mux, func() []string { return *a.hosts.Load() }), a.log)
	a.served = make(chan error, 1)
	go func(server *http.Server, listener net.Listener, served chan<- error) {
		err := server.Serve(listener)
		if !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("serve admin listener", "error", err)
		}
		served <- err
	}(a.http, a.listener, a.served)
}

// serveSocket serves operators of this machine until close is called, which
// waits until ctx ends for what is under way.
func (a *admin) serveSocket(listener net.Listener) (close func(ctx context.Context) error) {
	server := newAdminServer(a.mux, a.log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if err != nil {
			server.Close()
		}
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			return fmt.Errorf("serve admin socket: %w", ended)
		}
		return err
	}
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
	a.retired.Wait()
}

// retire closes the listener at once and ends its server in the background: the
// reload that wants this may have come over it, and its answer is still to be
// written. Streams are cut after a while; their clients are at the wrong address.
func (a *admin) retire() {
	old, served := a.http, a.served
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = old.Shutdown(over) // closes the listener and waits for nobody
	a.retired.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		if old.Shutdown(ctx) != nil {
			old.Close()
		}
		<-served
	})
	a.http, a.listener, a.addr = nil, nil, ""
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

// say answers with one line of text.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
