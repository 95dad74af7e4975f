// Package controls lets operators turn what the settings keep: it is what the
// admin API and the chat ask for levers, for changes that wait for their time, and
// for a word on a store that came back as another one. It joins three things that
// know nothing of each other: the declarations of levers, the configuration file
// in use, and the settings.
package controls

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/cluster/store"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server/levers"
)

// Controls is an api.Levers, api.Dues and api.Confirmer. Safe for concurrent use.
type Controls struct {
	Settings *setting.Service
	File     func() *config.Config // the configuration in use, without levers; nil while there is none
}

// Check says what is wrong with a value for a setting. It is for setting.Options.
// A lever that has no place in the configuration any more may still be reset.
func (c *Controls) Check(key string, value json.RawMessage) error {
	if token.IsKey(key) {
		return token.Check(key, value)
	}
	if isLever(key) && value == nil {
		return nil
	}
	file := c.File()
	if file == nil {
		return &setting.UnknownKeyError{Key: key}
	}
	return levers.Check(file, key, value)
}

// Parse makes a value for a lever of what somebody typed. Errors: *api.UnknownError,
// *api.InvalidError.
func (c *Controls) Parse(name, text string) (json.RawMessage, error) {
	instance, err := c.find(name)
	if err != nil {
		return nil, err
	}
	value, err := instance.Lever.Parse(text)
	if err != nil {
		return nil, api.SettingError(err, name, nil)
	}
	return value, nil
}

// Levers implements api.Levers.
func (c *Controls) Levers() []api.Lever {
	reverts := c.reverts()
	instances := levers.Instances(c.File())
	list := make([]api.Lever, 0, len(instances))
	for _, instance := range instances {
		version, _ := c.Settings.Current(instance.Name)
		list = append(list, lever(instance, version, reverts))
	}
	return list
}

// Overrides returns the levers that are set, by name; also those that have no
// place in the configuration any more.
func (c *Controls) Overrides() []api.Lever {
	var list []api.Lever
	for _, l := range c.Levers() {
		if l.Set {
			list = append(list, l)
		}
	}
	return list
}

// Lever implements api.Levers.
func (c *Controls) Lever(name string) (api.Lever, error) {
	instance, err := c.find(name)
	if err != nil {
		return api.Lever{}, err
	}
	version, _ := c.Settings.Current(instance.Name)
	return lever(instance, version, c.reverts()), nil
}

// Change implements api.Levers.
func (c *Controls) Change(ctx context.Context, change api.Change) (api.Changed, error) {
	instance, err := c.find(change.Lever)
	if err != nil && (change.Value != nil || !c.left(change.Lever)) {
		return api.Changed{}, err
	}
	if err != nil { // a reset of a lever whose place has gone
		instance = leftover(change.Lever)
	}
	r, err := c.Settings.Put(ctx, setting.Change{
		Key: instance.Name, Value: change.Value, Based: change.Based, Actor: change.Actor, Reason: change.Reason,
		RevertAfter: change.RevertAfter, At: change.At,
	})
	if err != nil {
		return api.Changed{}, api.SettingError(err, instance.Name, func(current setting.Version) api.Lever {
			return lever(instance, current, c.reverts())
		})
	}
	reverts := c.reverts()
	if r.Due != nil && r.Due.Kind == setting.Revert {
		reverts[r.Due.Key] = append(reverts[r.Due.Key], *r.Due)
	}
	out := api.Changed{Lever: lever(instance, r.Version, reverts), Stored: api.Stored(r.Stored)}
	if r.Due != nil {
		d := due(*r.Due)
		out.Due = &d
	}
	if r.Stored == setting.InJournal {
		out.Note = "The store is lost. The change is in force here and kept in this node's journal; the store gets it, with its time and your name, when it is back."
	}
	return out, nil
}

// At returns the lever of a version in a configuration. The error is an
// *api.UnknownError when the version is of no lever of it.
func At(file *config.Config, settings *setting.Service, v setting.Version) (api.Lever, error) {
	c := &Controls{Settings: settings, File: func() *config.Config { return file }}
	instance, err := c.find(v.Key)
	if err != nil {
		return api.Lever{}, err
	}
	return lever(instance, v, c.reverts()), nil
}

// History implements api.Levers.
func (c *Controls) History(ctx context.Context, name string, before int64, limit int) ([]api.LeverVersion, bool, error) {
	key := name
	if instance, err := c.find(name); err == nil {
		key = instance.Name
	} else if !c.left(name) {
		return nil, false, err
	}
	versions, whole, err := c.Settings.History(ctx, key, before, limit)
	if err != nil {
		return nil, false, err
	}
	list := make([]api.LeverVersion, 0, len(versions))
	for _, v := range versions {
		list = append(list, api.LeverVersion{
			Lever: v.Key, Number: v.Number, Value: orNull(v.Value), Actor: v.Actor, Reason: v.Reason, Node: v.Node,
			At: v.At, Recorded: v.RecordedAt, Provisional: v.Provisional,
		})
	}
	return list, whole, nil
}

// Dues implements api.Dues. What waits is always a lever's: other settings have no
// way in here, and if one had, it would be nobody's to see.
func (c *Controls) Dues() []api.Due {
	var list []api.Due
	for _, d := range c.Settings.Dues() {
		if !isLever(d.Key) {
			continue
		}
		if d.State == setting.Pending || d.State == setting.Skipped {
			list = append(list, due(d))
		}
	}
	return list
}

// Cancel implements api.Dues.
func (c *Controls) Cancel(ctx context.Context, id, actor, reason string) error {
	for _, d := range c.Settings.Dues() {
		if d.ID == id && !isLever(d.Key) {
			return api.SettingError(setting.ErrUnknownDue, id, nil)
		}
	}
	return api.SettingError(c.Settings.Cancel(ctx, id, actor, reason), id, nil)
}

// Confirm implements api.Confirmer.
func (c *Controls) Confirm(ctx context.Context, how api.How, actor, reason string) error {
	err := api.SettingError(c.Settings.Confirm(ctx, setting.How(how), actor, reason), "", nil)
	if store.Lost(err) {
		return &api.BusyError{Message: "the store could not be reached, so nothing was confirmed: " + err.Error(), Err: err}
	}
	return err
}

// find returns the lever that name means.
func (c *Controls) find(name string) (levers.Instance, error) {
	file := c.File()
	if file == nil {
		return levers.Instance{}, &api.UnknownError{What: "lever", Name: name}
	}
	instance, err := levers.Find(file, name)
	if err != nil {
		return levers.Instance{}, &api.UnknownError{What: "lever", Name: name}
	}
	return instance, nil
}

// isLever reports whether a setting is a lever, of this configuration or another.
func isLever(key string) bool {
	_, _, known := levers.Registry().Find(key)
	return known
}

// left reports whether name is a lever that was set and has no place in the
// configuration any more. Other settings, tokens among them, are none.
func (c *Controls) left(name string) bool {
	if !isLever(name) {
		return false
	}
	_, set := c.Settings.Current(name)
	return set
}

// leftover is a lever whose place has gone.
func leftover(name string) levers.Instance {
	declared, _, _ := levers.Registry().Find(name)
	return levers.Instance{Name: name, Lever: declared}
}

// reverts returns the reverts that wait, by the setting that they are of.
func (c *Controls) reverts() map[string][]setting.Due {
	all := make(map[string][]setting.Due)
	for _, d := range c.Settings.Dues() {
		if d.State == setting.Pending && d.Kind == setting.Revert {
			all[d.Key] = append(all[d.Key], d)
		}
	}
	return all
}

// lever is one lever with its version in force.
func lever(instance levers.Instance, v setting.Version, reverts map[string][]setting.Due) api.Lever {
	d := instance.Lever
	out := api.Lever{
		Name: instance.Name, Type: string(d.Kind), Unit: d.Unit, Doc: d.Doc, Words: slices.Clone(d.Words),
		Value: orNull(instance.File), File: orNull(instance.File),
		Version: v.Number, Actor: v.Actor, Reason: v.Reason, Since: v.At, Provisional: v.Provisional,
	}
	if d.Kind == setting.Integer || d.Kind == setting.Percent {
		low, high := float64(d.Min), float64(d.Max)
		out.Min, out.Max = &low, &high
	}
	if v.Value != nil {
		out.Value, out.Set = v.Value, true
	}
	for _, r := range reverts[instance.Name] {
		if r.Based == v.Number {
			out.Reverts = r.At
		}
	}
	return out
}

func due(d setting.Due) api.Due {
	return api.Due{
		ID: d.ID, Lever: d.Key, Kind: string(d.Kind), At: d.At, Value: orNull(d.Value), Based: d.Based, Actor: d.Actor,
		Reason: d.Reason, Created: d.Created, State: string(d.State), Settled: d.Settled, Note: d.Note,
	}
}

// orNull is a value as JSON has it.
func orNull(value json.RawMessage) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	return value
}

var (
	_ api.Levers    = (*Controls)(nil)
	_ api.Dues      = (*Controls)(nil)
	_ api.Confirmer = (*Controls)(nil)
)
