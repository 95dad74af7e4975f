package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/compress"
	"github.com/evergate/evergate/internal/edge/gateway/header"
	"github.com/evergate/evergate/internal/edge/gateway/pages"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// host is what a host name leads to.
type host struct {
	site  *site
	moved bool // one of redirect_from
}

// site is a config.Site, compiled.
type site struct {
	cfg         *config.Site
	name        string
	maintenance atomic.Bool // a lever
	ours        *endpoints  // nil: none
	paths       *route.Paths
	routes      []*place
	nowhere     *place   // of requests for which the site has no route
	hsts        []string // value of Strict-Transport-Security, nil for none
}

// place is where in the configuration a request has come: a route of a site, a
// site without a route, or nowhere.
type place struct {
	site     *site         // nil: unknown
	cfg      *config.Route // nil: no route
	name     string
	pages    *pages.Set
	steps    http.Handler
	request  [2]*header.Change // the site's, then the route's
	response [2]*header.Change // likewise
	compress *compress.Policy
	allow    []string // odd names that pass, canonical
	bodySize int64
	rewriter *rewriter // nil: the path stays
	counters *counters
}

// templates are the page sets by file, so that each is read once.
type templates map[string]*pages.Set

func (t templates) get(file string) (*pages.Set, error) {
	if set, ok := t[file]; ok {
		return set, nil
	}
	set, err := pages.New(file)
	if err != nil {
		return nil, err
	}
	t[file] = set
	return set, nil
}

func (rt *Runtime) addSite(cfg *config.Site, backends Backends, ours []Endpoint, templates templates) (err error) {
	s := &site{cfg: cfg, name: cfg.Hosts[0], hsts: hsts(cfg.HSTS)}
	if s.paths, err = route.NewPaths(cfg.Routes); err != nil {
		return err
	}
	template := rt.cfg.Pages.Template
	if cfg.Pages != nil {
		template = cfg.Pages.Template
	}
	set, err := templates.get(template)
	if err != nil {
		return err
	}
	s.maintenance.Store(cfg.Maintenance)
	base := place{
		site: s, pages: set,
		request: [2]*header.Change{header.NewChange(cfg.Headers.Request)}, response: [2]*header.Change{header.NewChange(cfg.Headers.Response)},
		compress: compress.NewPolicy(cfg.Compress),
	}
	nowhere := base
	nowhere.counters = rt.gateway.metrics.of(s.name, "")
	s.nowhere = &nowhere
	rt.sites = append(rt.sites, s)
	for i, r := range cfg.Routes {
		p := base
		if err := rt.addRoute(&p, r, backends); err != nil {
			return fmt.Errorf("routes[%d]: %w", i, err)
		}
		s.routes = append(s.routes, &p)
	}
	if err := rt.addEndpoints(s, base, ours); err != nil {
		return err
	}
	for _, name := range cfg.Hosts {
		if err := rt.hosts.Add(name, host{site: s}); err != nil {
			return err
		}
	}
	for _, name := range cfg.RedirectFrom {
		if err := rt.hosts.Add(name, host{site: s, moved: true}); err != nil {
			return err
		}
	}
	return nil
}

func (rt *Runtime) addRoute(p *place, r *config.Route, backends Backends) (err error) {
	p.cfg, p.name = r, r.Name
	if p.name == "" {
		p.name = r.Path
	}
	p.request[1], p.response[1] = header.NewChange(r.Headers.Request), header.NewChange(r.Headers.Response)
	if r.Compress != nil {
		p.compress = compress.NewPolicy(*r.Compress)
	}
	for _, name := range r.AllowHeaders {
		if header.MayAllow(name) {
			p.allow = append(p.allow, http.CanonicalHeaderKey(name))
		}
	}
	if p.bodySize = int64(r.BodySize); p.bodySize == 0 {
		p.bodySize = int64(rt.cfg.Limits.Body.Size)
	}
	if p.rewriter, err = newRewriter(r); err != nil {
		return err
	}
	p.counters = rt.gateway.metrics.of(p.site.name, p.name)
	p.steps = rt.onRoute(p, rt.answer(p, backends))
	return nil
}

// answer returns who answers the requests of p.
func (rt *Runtime) answer(p *place, backends Backends) http.Handler {
	switch {
	case p.cfg.Respond != nil:
		return newFixed(p.cfg.Respond)
	case p.cfg.Redirect != nil:
		return newRedirect(p.cfg.Redirect)
	}
	return backends.Handler(p.cfg)
}

// hsts is the value of RFC 6797 section 6.1, nil for none.
func hsts(c config.HSTS) []string {
	if c.MaxAge == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "max-age=%d", int64(c.MaxAge.D().Seconds()))
	if c.Subdomains {
		b.WriteString("; includeSubDomains")
	}
	if c.Preload {
		b.WriteString("; preload")
	}
	return []string{b.String()}[:1:1]
}
