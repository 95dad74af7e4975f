package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// endpointBody is the largest request body of an endpoint, in bytes: it takes
// commands, and anybody may send it something.
const endpointBody = 64 << 10

// Endpoint is a path of a site that Evergate answers by itself, before the site's
// routes and in maintenance too. What the site asks for of visitors holds for it
// (https, networks, header changes on the answer); what its routes ask for does not.
type Endpoint struct {
	Site string // one of the site's hosts, as the configuration writes it
	Path string // exact: no "*" in it
	// Handler gets all methods, and bodies up to 64 KiB: a longer one of known length
	// was answered 413, of others the Read fails with an *http.MaxBytesError. Path and
	// host are in normal form; the exchange in the request's context knows the visitor
	// and, as its Scheme, whether he came by https, a trusted proxy's word included.
	Handler http.Handler
}

// endpoints are those of one site.
type endpoints struct {
	paths  *route.Paths
	places []*place // by the index of paths
}

// find is the place of the endpoint at subject, nil if there is none.
func (e *endpoints) find(subject string, h http.Header) *place {
	if i := e.paths.Find(subject, "", h); i != route.None {
		return e.places[i]
	}
	return nil
}

// addEndpoints gives s those of ours that are its own. base is a place of s.
func (rt *Runtime) addEndpoints(s *site, base place, ours []Endpoint) (err error) {
	ours = slices.DeleteFunc(slices.Clone(ours), func(e Endpoint) bool { return !slices.Contains(s.cfg.Hosts, e.Site) })
	if len(ours) == 0 {
		return nil
	}
	routes := make([]*config.Route, len(ours)) // of which only the paths are of interest
	for i, e := range ours {
		if strings.Contains(e.Path, "*") {
			return fmt.Errorf("endpoint %s: its path must be an exact one", e.Path)
		}
		routes[i] = &config.Route{Path: e.Path}
	}
	at := new(endpoints)
	if at.paths, err = route.NewPaths(routes); err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	for i, e := range ours {
		p := base
		p.cfg, p.name, p.bodySize = routes[i], e.Path, endpointBody
		p.counters = rt.gateway.metrics.of(s.name, p.name)
		p.steps = rt.onEndpoint(&p, e.Handler)
		at.places = append(at.places, &p)
	}
	s.ours = at
	return nil
}

// checkEndpoints finds those that are on no site.
func (rt *Runtime) checkEndpoints(ours []Endpoint) error {
	for _, e := range ours {
		if rt.siteOf(e.Site) == nil {
			return fmt.Errorf("endpoint %s on %s: %w", e.Path, e.Site, ErrNoSite)
		}
	}
	return nil
}
