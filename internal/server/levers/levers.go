// Package levers declares what operators turn while Evergate runs, each once:
// its name (the path in the configuration), its values, its place in a
// configuration, and what it turns. Settings keep the values; this package knows
// what they do.
//
// The file gives the initial values. Overlay lays the levers over it, for what is
// built from a configuration and for what operators are shown; Act turns them on
// what runs. A generation that is built beside the one in use misses what is turned
// meanwhile, so its last step before use, with whatever serialises Act held, is a
// Settle of it: then it begins where the levers stand, and none is lost in between.
//
// What a configuration lacks has no levers. Their values stay among the settings,
// do nothing, are told of by Differences, and hold again when a reload brings the
// origin, server or site back.
package levers

import (
	"math"
	"sync"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// unbounded is the largest value of a number for which the configuration knows none.
const unbounded = math.MaxInt32

// all are the levers, in the order of the configuration. A test holds them against
// what the configuration says of the same keys.
var all = []lever{
	define(setting.Lever{
		Pattern: "origins.NAME.paused", Kind: setting.Boolean, Default: false,
		Doc: "Holds all requests in the queue, within its bounds; when it ends they go on in the order in which they came.",
	}, origins,
		func(c *config.Config, args []string) []*bool { return in(&c.Origins[args[0]].Paused) },
		func(t Target, args []string, on bool, _ string) error { return t.Origins.SetPaused(args[0], on) }),

	define(setting.Lever{
		Pattern: "origins.NAME.max_in_flight", Kind: setting.Integer, Unit: "requests", Min: 0, Max: unbounded, Default: int64(0),
		Doc: "Bound on requests under way in the origin; more wait in the queue. 0: none.",
	}, origins,
		func(c *config.Config, args []string) []*int { return in(&c.Origins[args[0]].MaxInFlight.Origin) },
		func(t Target, args []string, n int, _ string) error { return t.Origins.SetMaxInFlight(args[0], n) }),

	define(setting.Lever{
		Pattern: "origins.NAME.retry.attempts", Kind: setting.Integer, Unit: "attempts", Min: 1, Max: 10, Default: int64(3),
		Doc: "Attempts of a request in all, the first included; routes with a number of their own keep it. 1: no retries.",
	}, origins,
		func(c *config.Config, args []string) []*int { return in(&c.Origins[args[0]].Retry.Attempts) },
		func(t Target, args []string, n int, _ string) error { return t.Origins.SetRetryAttempts(args[0], n) }),

	define(setting.Lever{
		Pattern: "origins.NAME.retry.budget.percent", Kind: setting.Percent, Unit: "%", Min: 0, Max: 100, Default: int64(20),
		Doc: "Retries under way, in percent of the requests under way; retry.budget.min of the file is allowed in any case.",
	}, origins,
		func(c *config.Config, args []string) []*int { return in(&c.Origins[args[0]].Retry.Budget.Percent) },
		func(t Target, args []string, n int, _ string) error {
			return t.Origins.SetRetryBudgetPercent(args[0], n)
		}),

	define(setting.Lever{
		Pattern: "origins.NAME.servers[ADDR].state", Kind: setting.Word, Words: []string{"up", "drain", "maint"}, Default: "up",
		Doc: "up: in use, as its health allows; drain: no new requests, those under way finish; maint: the same, and no checks.",
	}, servers,
		func(c *config.Config, args []string) (all []*string) {
			for _, s := range serversOf(c.Origins[args[0]], args[1]) {
				all = append(all, &s.State)
			}
			return all
		},
		func(t Target, args []string, state, why string) error {
			return t.Origins.SetServerState(args[0], args[1], state, why)
		}),

	define(setting.Lever{
		Pattern: "origins.NAME.servers[ADDR].weight", Kind: setting.Integer, Min: 1, Max: 1000, Default: int64(1),
		Doc: "Share of the traffic beside the weights of the other servers.",
	}, servers,
		func(c *config.Config, args []string) (all []*int) {
			for _, s := range serversOf(c.Origins[args[0]], args[1]) {
				all = append(all, &s.Weight)
			}
			return all
		},
		func(t Target, args []string, n int, _ string) error {
			return t.Origins.SetServerWeight(args[0], args[1], n)
		}),

	define(setting.Lever{
		Pattern: "sites[HOST].maintenance", Kind: setting.Boolean, Default: false,
		Doc: "Answers everything on the site with the maintenance page (503); what is under way finishes.",
	}, sites,
		func(c *config.Config, args []string) []*bool { return in(&siteOf(c, args[0]).Maintenance) },
		func(t Target, args []string, on bool, _ string) error { return t.Sites.SetMaintenance(args[0], on) }),

	define(setting.Lever{
		Pattern: "log.level", Kind: setting.Word, Words: []string{"debug", "info", "warn", "error"}, Default: "info",
		Doc: "Least important messages in Evergate's own log.",
	}, process,
		func(c *config.Config, _ []string) []*string { return in(&c.Log.Level) },
		func(t Target, _ []string, level, _ string) error { return t.Log.SetLevel(level) }),
}

func in[T any](one *T) []*T { return []*T{one} }

// Registry holds the declarations of all levers.
var Registry = sync.OnceValue(func() *setting.Registry {
	var declared []setting.Lever
	for _, l := range all {
		declared = append(declared, l.Lever)
	}
	return setting.NewRegistry(declared...)
})
