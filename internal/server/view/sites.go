package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/config"
)

// Sites returns the sites of cfg, levers included.
func Sites(cfg *config.Config) []api.Site {
	sites := make([]api.Site, 0, len(cfg.Sites))
	for _, s := range cfg.Sites {
		site := api.Site{Hosts: slices.Clone(s.Hosts), RedirectFrom: slices.Clone(s.RedirectFrom), Maintenance: s.Maintenance}
		for _, r := range s.Routes {
			site.Routes = append(site.Routes, api.Route{Match: match(r), Origin: r.Origin, Action: action(r)})
		}
		sites = append(sites, site)
	}
	return sites
}

// match is what a route is for, in words.
func match(r *config.Route) string {
	var words []string
	if len(r.Methods) > 0 {
		words = append(words, strings.Join(r.Methods, ","))
	}
	words = append(words, r.Path)
	for _, name := range slices.Sorted(maps.Keys(r.Match)) {
		words = append(words, fmt.Sprintf("with %s: %s", name, r.Match[name]))
	}
	return strings.Join(words, " ")
}

// action is what a route without an origin does.
func action(r *config.Route) string {
	switch {
	case r.Respond != nil:
		return fmt.Sprintf("answers %d", r.Respond.Status)
	case r.Redirect != nil:
		return fmt.Sprintf("redirects (%d) to %s", r.Redirect.Status, r.Redirect.To)
	}
	return ""
}
