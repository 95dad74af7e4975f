package server

import (
	"encoding/json"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server/levers"
)

// Differences says what would come of cfg in an Evergate whose levers stand as
// running says: those that would override its values, and values that it changes,
// each with both values and who set the lever.
func Differences(cfg *config.Config, running []api.Lever) []string {
	before := make(map[string]json.RawMessage, len(running))
	var current []setting.Version
	for _, l := range running {
		before[l.Name] = l.File
		if l.Set {
			current = append(current, setting.Version{Key: l.Name, Number: l.Version, Value: l.Value, Actor: l.Actor, Reason: l.Reason, At: l.Since})
		}
	}
	return levers.DifferencesTo(cfg, before, current)
}
