package config

import "slices"

// Clone returns a copy whose log, origins with their servers, and sites may be
// changed without changing c: what levers overlay. The rest is shared: routes,
// access lists, headers, blocks behind pointers. It is for the one who builds
// the copy; a Config in use stays immutable.
func (c *Config) Clone() *Config {
	clone := *c
	clone.Log.Access.RedactQuery = slices.Clone(c.Log.Access.RedactQuery)
	if c.Origins != nil {
		clone.Origins = make(map[string]*Origin, len(c.Origins))
	}
	for name, o := range c.Origins {
		clone.Origins[name] = o.clone()
	}
	clone.Sites = slices.Clone(c.Sites)
	for i, s := range clone.Sites {
		site := *s
		if s.Pages == &c.Pages {
			site.Pages = &clone.Pages
		}
		clone.Sites[i] = &site
	}
	return &clone
}

func (o *Origin) clone() *Origin {
	origin := *o
	origin.Servers = slices.Clone(o.Servers)
	for i, s := range origin.Servers {
		server := *s
		origin.Servers[i] = &server
	}
	origin.Retry.On = slices.Clone(o.Retry.On)
	origin.Retry.Statuses = slices.Clone(o.Retry.Statuses)
	origin.Retry.NonIdempotent = slices.Clone(o.Retry.NonIdempotent)
	return &origin
}
