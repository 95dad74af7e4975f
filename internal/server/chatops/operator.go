// Package chatops lets commands from a chat end where those of the admin API do:
// at the same levers and the same status.
package chatops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/chat"
)

// Operator is a chat.Operator over the parts that the admin API is made of.
type Operator struct {
	Door api.Door
	Turn api.Levers
	// Parse makes a lever's value of what somebody typed. The error is for them.
	Parse func(lever, text string) (json.RawMessage, error)
}

var _ chat.Operator = (*Operator)(nil)

// Status implements chat.Operator.
func (o *Operator) Status(context.Context) (chat.Status, error) {
	s := o.Door.Status()
	out := chat.Status{
		Node: s.Node, Version: s.Version, Phase: string(s.Phase), Uptime: s.At.Sub(s.Started), Store: storeSentence(s.Store), At: s.At,
	}
	for _, c := range s.Conditions {
		if c.Severity == api.OK {
			continue
		}
		out.Conditions = append(out.Conditions, chat.Condition{
			Name: c.Name, Severity: string(c.Severity), Summary: strings.TrimSpace(c.Summary + " " + c.Detail), Since: c.Since,
		})
	}
	for _, l := range s.Overrides {
		out.Overrides = append(out.Overrides, lever(l))
	}
	return out, nil
}

func storeSentence(s api.Store) string {
	switch {
	case s.Confirm != "":
		return s.Kind + " waits for an operator's word: " + s.Confirm
	case s.Lost:
		return s.Kind + " is lost (" + s.Error + "); changes are kept on this node until it is back"
	}
	return s.Kind + " answers"
}

// Origins implements chat.Operator.
func (o *Operator) Origins(context.Context) ([]chat.Origin, error) {
	var out []chat.Origin
	for _, a := range o.Door.Origins() {
		origin := chat.Origin{Name: a.Name, Paused: a.Paused, InFlight: a.InFlight}
		for _, s := range a.Servers {
			origin.Servers = append(origin.Servers, chat.Server{
				Address: s.Configured, State: s.State, Health: health(s), InFlight: s.InFlight, Weight: s.Weight,
			})
		}
		out = append(out, origin)
	}
	return out, nil
}

// health is a server's health, with its own address where the name in the
// configuration stands for several.
func health(s api.Server) string {
	if s.Address != s.Configured {
		return s.Health + " at " + s.Address
	}
	return s.Health
}

// Levers implements chat.Operator.
func (o *Operator) Levers(context.Context) ([]chat.Lever, error) {
	var out []chat.Lever
	for _, l := range o.Turn.Levers() {
		out = append(out, lever(l))
	}
	return out, nil
}

// Lever implements chat.Operator.
func (o *Operator) Lever(_ context.Context, name string) (chat.Lever, error) {
	l, err := o.Turn.Lever(name)
	if err != nil {
		return chat.Lever{}, forPeople(err)
	}
	return lever(l), nil
}

// Change implements chat.Operator. The actor's name says where it was typed, so
// that nobody becomes "root" by choosing that name.
func (o *Operator) Change(ctx context.Context, c chat.Change) (chat.Changed, error) {
	change := api.Change{
		Lever: c.Lever, Based: c.Based, Actor: fmt.Sprintf("%s (%s)", c.Actor, c.Program), Reason: c.Reason, RevertAfter: c.RevertAfter,
	}
	if !c.Reset {
		value, err := o.Parse(c.Lever, c.Value)
		if err != nil {
			return chat.Changed{}, forPeople(err)
		}
		change.Value = value
	}
	changed, err := o.Turn.Change(ctx, change)
	if err != nil {
		return chat.Changed{}, forPeople(err)
	}
	out := chat.Changed{Lever: lever(changed.Lever), Journaled: changed.Stored == api.InJournal}
	if changed.Due != nil && changed.Due.Kind == "revert" {
		out.Reverts = changed.Due.At
	}
	return out, nil
}

// forPeople makes of err what chat shows: errors of the person's own making with
// their text, others as they are, which are only logged.
func forPeople(err error) error {
	var conflict *api.ConflictError
	var unknown *api.UnknownError
	var invalid *api.InvalidError
	var busy *api.BusyError
	switch {
	case errors.As(err, &conflict) && conflict.Current != nil:
		return &chat.Conflict{Now: lever(*conflict.Current)}
	case errors.As(err, &conflict), errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &busy):
		return &chat.Refusal{Text: err.Error()}
	}
	return err
}

// lever is a lever as people read it.
func lever(l api.Lever) chat.Lever {
	out := chat.Lever{Name: l.Name, Value: words(l.Value, l.Unit), File: words(l.File, l.Unit), Set: l.Set, Version: l.Version, Doc: l.Doc}
	if l.Set {
		out.Actor, out.Reason, out.Since, out.Reverts = l.Actor, l.Reason, l.Since, l.Reverts
	}
	return out
}

// words is a value without JSON's quotes, with its unit.
func words(value json.RawMessage, unit string) string {
	text := string(bytes.TrimSpace(value))
	var word string
	if json.Unmarshal(value, &word) == nil {
		text = word
	}
	switch unit {
	case "":
		return text
	case "%":
		return text + unit
	}
	return text + " " + unit
}
