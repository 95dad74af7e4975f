package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/edge/proxy/origin"
)

// Origins returns the origins of cfg as they stand in snapshots, by name. cfg has
// the levers in it.
func Origins(cfg *config.Config, snapshots []origin.Snapshot) []api.Origin {
	origins := make([]api.Origin, 0, len(snapshots))
	for _, s := range snapshots {
		configured := cfg.Origins[s.Name]
		if configured == nil {
			continue // a reload is under way
		}
		o := api.Origin{
			Name: s.Name, Balance: configured.Balance.Policy, Paused: s.Paused, InFlight: s.InFlight, MaxInFlight: s.MaxInFlight,
			Queue: api.Queue{Depth: s.Queue.Depth, Bytes: s.Queue.Bytes, Oldest: s.Queue.Oldest.Seconds(), PerSecond: s.Queue.PerSecond},
		}
		for _, u := range s.Unresolved {
			o.Unresolved = append(o.Unresolved, api.Unresolved{Host: u.Host, Error: u.Error, Kept: u.Kept})
		}
		for _, x := range s.Servers {
			o.Servers = append(o.Servers, Server(configured, x))
		}
		origins = append(origins, o)
	}
	slices.SortFunc(origins, func(a, b api.Origin) int { return cmp.Compare(a.Name, b.Name) })
	return origins
}

// Server returns one server of an origin.
func Server(configured *config.Origin, s origin.ServerSnapshot) api.Server {
	return api.Server{
		Address: s.Name, Configured: cmp.Or(s.Configured, s.Name), State: wanted(configured, s.Configured),
		Health: s.State.String(), Reason: s.Reason, Since: s.Since, Backup: s.Backup, Weight: s.Weight, Share: s.Share,
		InFlight: s.InFlight, MaxInFlight: s.MaxInFlight, Ejections: s.Ejections, Failures: s.Failures,
		LastError: s.LastError, LastErrorAt: s.LastErrorAt, Leaving: s.Leaving,
	}
}

// wanted is what operators want of the server that the configuration calls name.
func wanted(o *config.Origin, name string) string {
	for _, s := range o.Servers {
		if ServerName(s) == name {
			return s.State
		}
	}
	return "drain" // it leaves
}

// ServerName is the name of a configured server in levers and paths: its address
// without the scheme.
func ServerName(s *config.Server) string {
	if _, rest, found := strings.Cut(s.URL, "://"); found {
		return rest
	}
	return s.URL
}
