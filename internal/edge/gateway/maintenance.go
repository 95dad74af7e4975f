package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// maintenanceRetry is what visitors of a site in maintenance are told to wait.
const maintenanceRetry = time.Minute

// ErrNoSite is returned for a host that is none of a site.
var ErrNoSite = errors.New("no site has that host")

// maintenance answers everything with the maintenance page while the site's lever
// says so.
func maintenance(s *site) step {
	no := &refusal{
		status: http.StatusServiceUnavailable, reason: "maintenance", message: s.cfg.MaintenanceMessage, retryAfter: maintenanceRetry,
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			if s.maintenance.Load() {
				of(out).refuse(r, no)
				return
			}
			next.ServeHTTP(out, r)
		})
	}
}

// SetMaintenance closes or opens a site while requests are served: those that come
// from now on get the maintenance page, or the site. On a runtime that is not in
// use yet it says with what that begins. host is one of the site's hosts as the
// configuration writes it. Error: ErrNoSite.
func (rt *Runtime) SetMaintenance(host string, on bool) error {
	s := rt.siteOf(host)
	if s == nil {
		return fmt.Errorf("set maintenance of %s: %w", host, ErrNoSite)
	}
	s.maintenance.Store(on)
	return nil
}

// siteOf is the site that has host among its hosts, nil if none has.
func (rt *Runtime) siteOf(host string) *site {
	for _, s := range rt.sites {
		if slices.Contains(s.cfg.Hosts, host) {
			return s
		}
	}
	return nil
}
