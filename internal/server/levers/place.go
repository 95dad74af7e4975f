package levers

import (
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/config"
)

// place is a kind of thing in a configuration that has levers.
type place struct {
	// each returns the args of all there are, the names of one in the order of its
	// levers' patterns.
	each func(c *config.Config) [][]string
	// find returns args as the configuration has them; ok is false if it has none of
	// that name.
	find func(c *config.Config, args []string) (as []string, ok bool)
	what string // in a sentence: "no origin of that name"
}

// The kinds of places.
var (
	// process is this Evergate.
	process = place{
		each: func(*config.Config) [][]string { return [][]string{nil} },
		find: func(_ *config.Config, args []string) ([]string, bool) { return args, true },
	}
	// origins go by their name.
	origins = place{
		what: "origin",
		each: func(c *config.Config) (all [][]string) {
			for _, name := range slices.Sorted(maps.Keys(c.Origins)) {
				all = append(all, []string{name})
			}
			return all
		},
		find: func(c *config.Config, args []string) ([]string, bool) {
			_, ok := c.Origins[args[0]]
			return args, ok
		},
	}
	// servers go by their origin and their address.
	servers = place{
		what: "server",
		each: func(c *config.Config) (all [][]string) {
			for _, name := range slices.Sorted(maps.Keys(c.Origins)) {
				var seen []string
				for _, s := range c.Origins[name].Servers {
					if at := addressOf(s); !slices.Contains(seen, at) {
						seen = append(seen, at)
						all = append(all, []string{name, at})
					}
				}
			}
			return all
		},
		find: func(c *config.Config, args []string) ([]string, bool) {
			o := c.Origins[args[0]]
			if o == nil {
				return args, false
			}
			if of := serversOf(o, args[1]); len(of) > 0 {
				return []string{args[0], addressOf(of[0])}, true
			}
			return args, false
		},
	}
	// sites go by the first of their hosts, and are known by the others.
	sites = place{
		what: "site",
		each: func(c *config.Config) (all [][]string) {
			for _, s := range c.Sites {
				all = append(all, []string{s.Hosts[0]})
			}
			return all
		},
		find: func(c *config.Config, args []string) ([]string, bool) {
			if s := siteOf(c, args[0]); s != nil {
				return []string{s.Hosts[0]}, true
			}
			return args, false
		},
	}
)

// addressOf is what a server is called in levers: its url without the scheme.
func addressOf(s *config.Server) string {
	a := s.Address()
	if a.Scheme == "unix" {
		return a.String()
	}
	return net.JoinHostPort(a.Host, a.Port)
}

// serversOf returns the servers of o that are called address: one, or two if the
// same address is there with and without TLS. A scheme may stand before it, and
// the scheme's own port be left out, as in the file.
func serversOf(o *config.Origin, address string) (found []*config.Server) {
	for _, s := range o.Servers {
		own, a := addressOf(s), s.Address()
		given := address
		if a.Scheme != "unix" {
			given = strings.TrimPrefix(strings.ToLower(given), a.Scheme+"://")
		}
		ports := map[string]string{"http": "80", "https": "443"}
		if given == own || a.Port == ports[a.Scheme] && given+":"+a.Port == own {
			found = append(found, s)
		}
	}
	return found
}

// siteOf returns the site that has host among its hosts, nil if none has.
func siteOf(c *config.Config, host string) *config.Site {
	host = strings.ToLower(host)
	for _, s := range c.Sites {
		if slices.Contains(s.Hosts, host) {
			return s
		}
	}
	return nil
}
