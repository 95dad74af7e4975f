// Package server is the assembly: it builds everything from one configuration
// file, starts it in order and stops it in reverse. What one wing needs of
// another is handed over here.
package server

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/chat"
	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/certstore"
	"github.com/evergate/evergate/internal/cluster/lease"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/edge/gateway"
	"github.com/evergate/evergate/internal/edge/gateway/accesslog"
	"github.com/evergate/evergate/internal/edge/gateway/certs"
	"github.com/evergate/evergate/internal/edge/gateway/front"
	"github.com/evergate/evergate/internal/edge/proxy"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
	"github.com/evergate/evergate/internal/keyring"
	"github.com/evergate/evergate/internal/server/controls"
	"github.com/evergate/evergate/internal/server/datadir"
	"github.com/evergate/evergate/internal/server/health"
	"github.com/evergate/evergate/internal/server/systemd"
	"github.com/evergate/evergate/internal/server/view"
)

// Options are what a server gets beside its configuration file. The zero value
// writes its log to standard error and takes no signals.
type Options struct {
	Log          io.Writer       // the server's own log; nil: standard error
	Stdout       io.Writer       // where log.access.file "stdout" goes; nil: standard output
	Signals      bool            // SIGHUP reloads, SIGUSR1 reopens logs, SIGTERM and SIGINT drain
	NotifySocket string          // $NOTIFY_SOCKET of systemd; "": none
	Ready        func(Addresses) // called once, when everything listens; nil: nobody wants to know
}

// Addresses is where a server really listens, which a configuration with port 0
// leaves to the system.
type Addresses struct {
	HTTP  []string // "host:port", in the order of listen.http
	HTTPS []string // likewise of listen.https
	Admin string   // "": no admin listener
}

// phase is what the server is doing.
type phase int32

const (
	starting phase = iota
	serving
	draining
)

// Server is one Evergate. New builds it, Run makes it serve.
type Server struct {
	options Options
	path    string // of the configuration file
	started time.Time
	phase   atomic.Int32   // a phase
	signals chan os.Signal // nil: not taken

	log     *slog.Logger
	logging *logging
	metrics *metrics
	notify  systemd.Notifier

	// What is kept.
	dir      *datadir.Dir
	keys     *keyring.Ring
	store    *store.Store
	settings *setting.Service
	jobs     *lease.Jobs

	// What visitors meet.
	certStore *certstore.Storage
	certs     *certs.Manager
	gateway   *gateway.Gateway
	front     *front.Front

	// What operators meet.
	controls *controls.Controls
	tokens   *token.Keeper
	board    *health.Board
	figures  *view.Figures
	events   *api.Events
	chat     *chat.Endpoint
	admin    *admin

	accessMetrics *accesslog.Metrics
	proxyMetrics  *proxy.Metrics
	originMetrics *origin.Metrics

	reloading  sync.Mutex // one reload, or the way out, at a time
	turning    sync.Mutex // held while levers are turned, or a generation is put in force
	current    atomic.Pointer[generation]
	lastReload atomic.Pointer[api.Reload] // nil: none yet
	background sync.WaitGroup             // what former generations still have to end

	closers []func() // what has been built, in order; stop goes through it in reverse
}

// New loads the configuration file and builds everything that it asks for.
// Nothing listens yet; the caller goes on with Run, which also ends everything.
// Errors: *ConfigError for a bad file, *datadir.InUseError when another process
// has the data_dir, or what the system says.
func New(path string, options Options) (*Server, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find the configuration: %w", err)
	}
	if options.Log == nil {
		options.Log = os.Stderr
	}
	if options.Stdout == nil {
		options.Stdout = os.Stdout
	}
	s := &Server{options: options, path: path, started: time.Now(), notify: systemd.New(options.NotifySocket)}
	if err := s.build(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// atStop makes f part of stop.
func (s *Server) atStop(f func()) { s.closers = append(s.closers, f) }

// stop ends everything that has been built, in reverse order.
func (s *Server) stop() {
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		s.closers[last]()
		s.closers = s.closers[:last]
	}
}
