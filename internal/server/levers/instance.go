package levers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// Instance is one lever of a configuration.
type Instance struct {
	Name  string // with the names that the configuration has: the one key under which settings keep it
	Lever setting.Lever
	File  json.RawMessage // what the configuration says, its defaults included

	lever *lever
	args  []string
}

// Instances are the levers of a configuration as the file has it, by name.
func Instances(file *config.Config) []Instance {
	var found []Instance
	for i := range all {
		for _, args := range all[i].place.each(file) {
			found = append(found, instance(file, &all[i], args))
		}
	}
	slices.SortFunc(found, func(a, b Instance) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// Find returns the lever called name. A name may also be one by another host of a
// site, or by a server's address as it stands in the file; Instance.Name is the one
// to keep it by. The error is an *setting.UnknownKeyError, wrapped in a sentence.
func Find(file *config.Config, name string) (Instance, error) {
	l, args := find(name)
	if l == nil {
		return Instance{}, &setting.UnknownKeyError{Key: name}
	}
	args, ok := l.place.find(file, args)
	if !ok {
		return Instance{}, fmt.Errorf("the configuration has no such %s: %w", l.place.what, &setting.UnknownKeyError{Key: name})
	}
	return instance(file, l, args), nil
}

// Check says what is wrong with a value for the lever called name; a nil value is
// a reset. Errors: those of Find, and *setting.ValueError.
func Check(file *config.Config, name string, value json.RawMessage) error {
	i, err := Find(file, name)
	if err != nil {
		return err
	}
	if err := i.Lever.Check(value); err != nil {
		return fmt.Errorf("%s: %w", i.Name, err)
	}
	return nil
}

func instance(file *config.Config, l *lever, args []string) Instance {
	return Instance{Name: l.Name(args...), Lever: l.Lever, File: l.read(file, args), lever: l, args: args}
}
