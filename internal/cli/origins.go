package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

func newOrigins() *cobra.Command {
	var from connection
	var form string
	var watch bool
	cmd := &cobra.Command{
		Use:   "origins",
		Short: "Show the origins and how their servers are",
		Long: `Origins shows every origin with what is under way and what waits, and every server
with its health. IN FLIGHT is requests under way and their bound.

` + asking + `

` + exitCodes,
		Example: `  evergate origins
  evergate origins --watch`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			v := view[api.OriginList]{
				question[api.OriginList]{
					ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.OriginList], error) {
						return c.Origins(ctx)
					},
					text: originLines,
				},
				originFacts,
			}
			if watch {
				return v.watch(cmd, &from, form, args)
			}
			return v.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	addWatch(cmd, &watch)
	return cmd
}

func originLines(list api.OriginList, _ time.Time) []string {
	if len(list.Origins) == 0 {
		return []string{"the configuration has no origin"}
	}
	var lines []string
	for i, o := range list.Origins {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, wrap("", originSentence(o))...)
		t := newTable("SERVER", "HEALTH", "FOR", ">WEIGHT", ">IN FLIGHT")
		t.indent = "  "
		for _, s := range o.Servers {
			t.row(s.Address, s.Health, since(s.Since, list.At), strconv.Itoa(s.Weight), bounded(s.InFlight, s.MaxInFlight))
			t.note(serverNote(s, list.At))
		}
		lines = append(lines, t.lines()...)
		for _, u := range o.Unresolved {
			text := fmt.Sprintf("%s has no address now: %s", u.Host, u.Error)
			if u.Kept > 0 {
				text = fmt.Sprintf("%s could not be looked up, %s from before: %s", u.Host, count(u.Kept, "address"), u.Error)
			}
			lines = append(lines, wrap("  ", text)...)
		}
	}
	return lines
}

func originSentence(o api.Origin) string {
	text := o.Name + ": "
	if o.Paused {
		text += "paused, its requests wait; "
	}
	text += bounded(o.InFlight, o.MaxInFlight) + " in flight, " + strconv.Itoa(o.Queue.Depth) + " waiting"
	if o.Queue.Depth > 0 {
		text += " (the first for " + seconds(o.Queue.Oldest).Round(100*time.Millisecond).String() + ")"
	}
	return text + "; " + o.Balance
}

// bounded is a number and its bound; 0 is none.
func bounded(n, most int) string {
	if most == 0 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d/%d", n, most)
}

// serverNote is what else is to be known of a server.
func serverNote(s api.Server, now time.Time) string {
	note := s.Reason
	if s.Health == "up" {
		note = "" // why it is as it should be is of no use
	}
	add := func(text string) {
		if note != "" {
			note += "; "
		}
		note += text
	}
	if s.Configured != "" && s.Configured != s.Address {
		add("of " + s.Configured)
	}
	if s.Backup {
		add("backup")
	}
	if s.Leaving {
		add("leaving")
	}
	if s.Health == "ramping" {
		add(fmt.Sprintf("at %.0f %%", s.Share*100))
	}
	if s.LastError != "" && s.Health != "up" {
		add(s.LastError + " " + ago(s.LastErrorAt, now))
	}
	return note
}

func originFacts(list api.OriginList) []entry {
	var facts []entry
	for _, o := range list.Origins {
		state := "takes requests"
		if o.Paused {
			state = "paused"
		}
		facts = append(facts, entry{"origin " + o.Name, "origin " + o.Name + ": " + state, "origin " + o.Name + ": gone"})
		for _, s := range o.Servers {
			fact := serverFact(o.Name, s)
			fact.gone = fact.key + ": gone"
			facts = append(facts, fact)
		}
	}
	return facts
}
