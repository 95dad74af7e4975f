package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

// turning is the flags of a change.
type turning struct {
	reason      string
	revertAfter time.Duration
	at          string
	version     int64
}

func (t *turning) addReason(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&t.reason, "reason", "r", "", "`why`: it stands in the history, and in the status for whoever looks next")
	_ = cmd.RegisterFlagCompletionFunc("reason", cobra.NoFileCompletions)
}

func (t *turning) addRevert(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&t.revertAfter, "revert-after", 0, "go back to the value before after this `time` (15m, 2h) unless somebody changes it first")
	_ = cmd.RegisterFlagCompletionFunc("revert-after", cobra.FixedCompletions([]string{"5m", "15m", "1h", "8h"}, cobra.ShellCompDirectiveNoFileComp))
}

func (t *turning) addVersion(cmd *cobra.Command) {
	cmd.Flags().Int64Var(&t.version, "if-version", 0, "only if the lever still has this `version` (default: the one that it has now)")
	_ = cmd.RegisterFlagCompletionFunc("if-version", cobra.NoFileCompletions)
}

// based is the version that the person named, -1 for none.
func (t *turning) based(cmd *cobra.Command) int64 {
	if !cmd.Flags().Changed("if-version") {
		return -1
	}
	return t.version
}

// check says what is wrong with the flags.
func (t *turning) check(cmd *cobra.Command) error {
	if strings.TrimSpace(t.reason) == "" {
		return &exitError{code: exitUsage, err: fmt.Errorf("%s needs --reason \"...\": it stands in the history, and tells whoever is woken next why this is so", strings.TrimPrefix(cmd.CommandPath(), "evergate "))}
	}
	if f := cmd.Flags().Lookup("revert-after"); f != nil && f.Changed && t.revertAfter <= 0 {
		return &exitError{code: exitUsage, err: fmt.Errorf("--revert-after %s: want a time that is still to come, such as 15m", t.revertAfter)}
	}
	return nil
}

// moment reads --at. "": the zero time.
func (t *turning) moment() (time.Time, error) {
	if t.at == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, t.at)
	if err != nil {
		return time.Time{}, &exitError{code: exitUsage, err: fmt.Errorf("--at %s: want a moment with its time zone, such as %s", t.at, time.Now().Add(time.Hour).Format(time.RFC3339))}
	}
	if !at.After(time.Now()) {
		return time.Time{}, &exitError{code: exitUsage, err: fmt.Errorf("--at %s is over; without --at the change is made now", t.at)}
	}
	return at, nil
}

func newLeverSet() *cobra.Command {
	var from connection
	var form string
	var t turning
	cmd := &cobra.Command{
		Use:   "set NAME VALUE",
		Short: "Turn a lever",
		Long: `Set gives a lever a value, now or at a later time. When it answers, the change is
in effect and kept.

It reads the lever first and changes what it has read: if somebody else changes the
lever in between, nothing is done, and you are told who did what. While the store
is away, the change is made all the same and kept on this node until it is back.

` + asking + `

` + exitCodes,
		Example: `  evergate lever set origins.booking.paused true --reason "database moves"
  evergate lever set origins.booking.max_in_flight 100 --revert-after 15m --reason "slow"
  evergate lever set 'sites[shop.example.org].maintenance' true --at 2026-03-01T03:00:00Z --reason "release 42"`,
		Args:              exactly(2),
		ValidArgsFunction: completeLever(&from, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			at, err := t.moment()
			if err != nil {
				return err
			}
			turn := client.Turn{Reason: t.reason, RevertAfter: t.revertAfter, At: at}
			q := question[api.Changed]{
				ask: func(ctx context.Context, c *client.Client, args []string) (client.Answer[api.Changed], error) {
					return turnLever(ctx, c, args[0], t.based(cmd), func(l api.Lever, version int64) (client.Answer[api.Changed], error) {
						turn.Value, turn.Version = jsonValue(l.Type, args[1]), version
						return c.Set(ctx, args[0], turn)
					})
				},
				text: changedLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	t.addReason(cmd)
	t.addRevert(cmd)
	cmd.Flags().StringVar(&t.at, "at", "", "change it at this `moment` and not now (RFC 3339, 2026-03-01T03:00:00Z)")
	_ = cmd.RegisterFlagCompletionFunc("at", cobra.NoFileCompletions)
	t.addVersion(cmd)
	return cmd
}

func newLeverReset() *cobra.Command {
	var from connection
	var form string
	var t turning
	cmd := &cobra.Command{
		Use:   "reset NAME",
		Short: "Give a lever back to the file",
		Long: `Reset takes a lever's value back: from now on it has the value of the configuration
file, also of one that is loaded later.

` + asking + `

` + exitCodes,
		Example:           `  evergate lever reset origins.booking.paused --reason "database has moved"`,
		Args:              exactly(1),
		ValidArgsFunction: completeLever(&from, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			q := question[api.Changed]{
				ask: func(ctx context.Context, c *client.Client, args []string) (client.Answer[api.Changed], error) {
					return turnLever(ctx, c, args[0], t.based(cmd), func(_ api.Lever, version int64) (client.Answer[api.Changed], error) {
						return c.Reset(ctx, args[0], version, t.reason)
					})
				},
				text: changedLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	t.addReason(cmd)
	t.addVersion(cmd)
	return cmd
}

// turnLever reads a lever and has turn change what was read. version is what the
// person said that it is based on, -1: nothing. A conflict says who was faster.
func turnLever(ctx context.Context, c *client.Client, name string, version int64, turn func(l api.Lever, version int64) (client.Answer[api.Changed], error)) (client.Answer[api.Changed], error) {
	read, err := c.Lever(ctx, name)
	if err != nil {
		return client.Answer[api.Changed]{}, err
	}
	if version < 0 {
		version = read.Value.Version
	}
	changed, err := turn(read.Value, version)
	var problem *client.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusConflict && problem.Current != nil {
		return changed, overtaken(*problem.Current, read.At)
	}
	return changed, err
}

// overtaken says who was faster, and what the lever is now.
func overtaken(now api.Lever, at time.Time) error {
	if now.Version == 0 {
		return fmt.Errorf("%s was never changed (its version is 0), so nothing was changed", now.Name)
	}
	what := "set it to " + value(now.Value)
	if !now.Set {
		what = "gave it back to the file (" + value(now.Value) + ")"
	}
	return fmt.Errorf("%s was changed in between, so your change was not made: %s %s %s: %s\nlook at it (evergate lever get), and turn it again if you still want to",
		now.Name, now.Actor, what, ago(now.Since, at), now.Reason)
}

// jsonValue is what a person typed as a value of this type. What does not fit
// goes as a word: the answer then says what is wanted.
func jsonValue(kind, text string) json.RawMessage {
	switch kind {
	case "boolean":
		switch strings.ToLower(text) {
		case "true", "on", "yes":
			return json.RawMessage("true")
		case "false", "off", "no":
			return json.RawMessage("false")
		}
	case "integer", "percent":
		digits := text
		if kind == "percent" {
			digits = strings.TrimSpace(strings.TrimSuffix(text, "%"))
		}
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return json.RawMessage(strconv.FormatInt(n, 10))
		}
	}
	word, _ := json.Marshal(text) // of a string, it cannot fail
	return word
}

// changedLines say what became of a change.
func changedLines(c api.Changed, now time.Time) []string {
	l := c.Lever
	var lines []string
	switch {
	case c.Due != nil && c.Due.Kind == "change":
		lines = wrap("", fmt.Sprintf("%s will be %s %s (%s); now it is %s", l.Name, value(c.Due.Value), until(c.Due.At, now), moment(c.Due.At), value(l.Value)))
		lines = append(lines, "evergate due cancel "+c.Due.ID+" takes it back")
	case l.Set:
		lines = wrap("", fmt.Sprintf("%s = %s (the file says %s)", l.Name, value(l.Value), value(l.File)))
	default:
		lines = wrap("", fmt.Sprintf("%s = %s, as the file says", l.Name, value(l.Value)))
	}
	if c.Due != nil && c.Due.Kind == "revert" {
		lines = append(lines, wrap("", fmt.Sprintf("It goes back to %s %s (%s), unless somebody changes it first.", value(c.Due.Value), until(c.Due.At, now), moment(c.Due.At)))...)
	}
	if c.Stored == api.InJournal && c.Note == "" { // the note says the same
		lines = append(lines, wrap("", "The store is away. The change is kept in the journal on this node's disk, and goes into the store when that is back.")...)
	}
	return append(lines, wrap("", c.Note)...)
}
