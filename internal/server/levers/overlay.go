package levers

import (
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// Overlay returns file with the levers laid over it; file itself stays as it is.
// current are settings as they stand, in any order. What is no lever, was reset,
// has no place in file, or has a value that this version does not take, changes
// nothing.
func Overlay(file *config.Config, current []setting.Version) *config.Config {
	cfg := file.Clone()
	for _, s := range standing(file, current) {
		if s.turned() {
			s.lever.write(cfg, s.args, s.version.Value)
		}
	}
	return cfg
}

// stand is where a lever stands.
type stand struct {
	Instance
	version setting.Version
}

// turned reports whether somebody set it to a value that it takes.
func (s stand) turned() bool {
	return s.version.Value != nil && s.Lever.Check(s.version.Value) == nil
}

// standing are those of current that have a place in file, each once and in order
// of Instances. Of two versions of one key the last in current counts. A site may
// have been turned by two of its hosts, if the first one changed in the file: then
// the one that was turned last counts.
func standing(file *config.Config, current []setting.Version) []stand {
	last := make(map[string]setting.Version, len(current)) // by name
	for _, v := range current {
		i, err := Find(file, v.Key)
		if err != nil {
			continue // no lever, or dormant: see Differences
		}
		if known, ok := last[i.Name]; !ok || known.Key == v.Key || v.At.After(known.At) {
			last[i.Name] = v
		}
	}
	var found []stand
	for _, i := range Instances(file) {
		if v, ok := last[i.Name]; ok {
			found = append(found, stand{i, v})
		}
	}
	return found
}
