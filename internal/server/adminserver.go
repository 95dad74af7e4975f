package server

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/noise"
)

// The bounds of an operators' listener.
const (
	maxAdminConns     = 256 // more than all operators and scrapers have, and few for a process
	maxScrapes        = 8   // of the metrics, at once
	adminHeadTime     = 5 * time.Second
	adminIdleTime     = time.Minute
	adminAnswerTime   = time.Minute // from the head of a request to the end of its answer
	maxAdminHeadBytes = 16 << 10
)

// newAdminServer is a server for operators. A body has its own time, by
// api.BodyWithin, and no ReadTimeout: that would end streams, which last. Their
// writes, and profiles, put off the end of adminAnswerTime themselves.
func newAdminServer(handler http.Handler, logger *slog.Logger) *http.Server {
	crowd := newCrowd(maxAdminConns)
	handler = crowd.serve(api.BodyWithin(handler))
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			handler.ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return api.PeerContext(crowd.come(ctx, conn), conn)
		},
		ConnState: func(conn net.Conn, state http.ConnState) {
			if state == http.StateClosed || state == http.StateHijacked {
				crowd.leave(conn)
			}
		},
		ReadHeaderTimeout: adminHeadTime,
		IdleTimeout:       adminIdleTime,
		WriteTimeout:      adminAnswerTime,
		MaxHeaderBytes:    maxAdminHeadBytes,
		ErrorLog:          log.New(&complaints{logger, noise.New()}, "", 0),
	}
}

// complaints takes net/http's lines about connections. Whoever reaches the listener
// can cause them, so they are bounded.
type complaints struct {
	log   *slog.Logger
	bound *noise.Bound
}

func (c *complaints) Write(line []byte) (int, error) {
	c.bound.Warn(time.Now(), c.log, "admin listener", "problem", strings.TrimSpace(string(line)))
	return len(line), nil
}
