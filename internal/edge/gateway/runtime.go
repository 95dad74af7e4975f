package gateway

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/gateway/compress"
	"github.com/evergate/evergate/internal/edge/gateway/forwarded"
	"github.com/evergate/evergate/internal/edge/gateway/header"
	"github.com/evergate/evergate/internal/edge/gateway/pages"
	"github.com/evergate/evergate/internal/edge/gateway/route"
)

// Runtime is what serves one configuration. It is immutable but for the count of
// its users: itself while it is in use, and every request from its first step to
// its last observer.
type Runtime struct {
	gateway   *Gateway
	cfg       *config.Config
	trust     forwarded.Trust
	hosts     route.Hosts[host]
	sites     []*site
	nowhere   *place // of requests for which no site was found
	observers []Observer
	entry     http.Handler // the steps before a route is known

	publicHTTPS  string // port of https as visitors write it, with ":"; "" for 443
	servesHTTPS  bool
	servesPort80 bool

	users atomic.Int64
	done  chan struct{}
}

// host is what a host name leads to.
type host struct {
	site  *site
	moved bool // one of redirect_from
}

// site is a config.Site, compiled.
type site struct {
	cfg     *config.Site
	name    string
	paths   *route.Paths
	routes  []*place
	nowhere *place   // of requests for which the site has no route
	hsts    []string // value of Strict-Transport-Security, nil for none
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

func newRuntime(g *Gateway, cfg *config.Config, backends Backends, observers []Observer) (*Runtime, error) {
	rt := &Runtime{
		gateway: g, cfg: cfg, trust: forwarded.NewTrust(cfg.TrustedProxies), observers: observers, done: make(chan struct{}),
	}
	rt.users.Store(1)
	rt.learnPorts()
	templates := make(templates)
	set, err := templates.get(cfg.Pages.Template)
	if err != nil {
		return nil, err
	}
	rt.nowhere = &place{pages: set, counters: g.metrics.of("", "")}
	for i, s := range cfg.Sites {
		if err := rt.addSite(s, backends, templates); err != nil {
			return nil, fmt.Errorf("sites[%d]: %w", i, err)
		}
	}
	rt.entry = rt.beforeRoute()
	return rt, nil
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

func (rt *Runtime) addSite(cfg *config.Site, backends Backends, templates templates) (err error) {
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
	base := place{
		site: s, pages: set,
		request: [2]*header.Change{header.NewChange(cfg.Headers.Request)}, response: [2]*header.Change{header.NewChange(cfg.Headers.Response)},
		compress: compress.NewPolicy(cfg.Compress),
	}
	nowhere := base
	nowhere.counters = rt.gateway.metrics.of(s.name, "")
	s.nowhere = &nowhere
	for i, r := range cfg.Routes {
		p := base
		if err := rt.addRoute(&p, r, backends); err != nil {
			return fmt.Errorf("routes[%d]: %w", i, err)
		}
		s.routes = append(s.routes, &p)
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
	rt.sites = append(rt.sites, s)
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

// learnPorts finds out how visitors write the port of https. The listeners say
// it, but for ports that are mapped: where the ACME authority comes in by another
// port than 443, or where nobody listens on 80 and a visitor came by 80.
func (rt *Runtime) learnPorts() {
	l := rt.cfg.Listen
	rt.servesHTTPS = len(l.HTTPS) > 0
	rt.servesPort80 = slices.ContainsFunc(l.HTTP, func(a string) bool { return portOf(a) == "80" })
	for i, a := range l.HTTPS {
		switch port := portOf(a); {
		case port == "443", port == "", port == "0":
			rt.publicHTTPS = ""
			return
		case i == 0:
			rt.publicHTTPS = ":" + port
		}
	}
	if acme := rt.cfg.TLS.ACME; acme != nil && acme.TLSPort != 0 {
		rt.publicHTTPS = ""
	}
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return port
}

// httpsPort is the port for a redirect to https, with ":", of a visitor who wrote
// port for http.
func (rt *Runtime) httpsPort(port string) string {
	if (port == "" || port == "80") && !rt.servesPort80 {
		return "" // 80 is mapped to our port, so 443 is too
	}
	return rt.publicHTTPS
}

// find returns where a request belongs. moved is set for a host of redirect_from.
// A place without route has the methods that would have found one, if any.
func (rt *Runtime) find(name, subject, method string, h http.Header) (p *place, moved bool, allowed []string) {
	at, ok := rt.hosts.Find(name)
	switch {
	case !ok:
		return rt.nowhere, false, nil
	case at.moved:
		return at.site.nowhere, true, nil
	}
	if i := at.site.paths.Find(subject, method, h); i != route.None {
		return at.site.routes[i], false, nil
	}
	return at.site.nowhere, false, at.site.paths.Allowed(subject, h)
}

// pin counts a user, unless there is none left.
func (rt *Runtime) pin() bool {
	for n := rt.users.Load(); n > 0; n = rt.users.Load() {
		if rt.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// unpin is called once by each user; the last one closes done.
func (rt *Runtime) unpin() {
	if rt.users.Add(-1) == 0 {
		rt.forget()
		close(rt.done)
	}
}

// forget removes the metrics of routes that the runtime in use does not have.
func (rt *Runtime) forget() {
	kept := make(map[[2]string]bool)
	if now := rt.gateway.current.Load(); now != nil {
		for _, s := range now.sites {
			for _, p := range append(s.routes, s.nowhere) {
				kept[[2]string{s.name, p.name}] = true
			}
		}
	}
	for _, s := range rt.sites {
		for _, p := range append(s.routes, s.nowhere) {
			if !kept[[2]string{s.name, p.name}] {
				rt.gateway.metrics.forget(s.name, p.name)
			}
		}
	}
}

// Done is closed when rt has been replaced and its last request has left.
func (rt *Runtime) Done() <-chan struct{} { return rt.done }

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
