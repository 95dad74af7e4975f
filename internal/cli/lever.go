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

func newLever() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lever",
		Short: "Turn a lever, give it back to the file, or see who turned it",
		Long: `A lever is a setting that is turned while Evergate runs. It acts within a second,
and what is answered is kept: it holds over reloads, restarts and crashes until it
is reset. It can also be turned while the store is away. "evergate levers" lists
them all.`,
		Example: `  evergate lever set origins.booking.max_in_flight 100 --revert-after 15m --reason "database is slow"
  evergate lever reset origins.booking.max_in_flight --reason "database is fine again"`,
	}
	return family(cmd, newLeverGet(), newLeverSet(), newLeverReset(), newLeverHistory())
}

func newLeverGet() *cobra.Command {
	var from connection
	var form string
	cmd := &cobra.Command{
		Use:               "get NAME",
		Short:             "Show one lever: what it does, its value, its bounds, who set it",
		Example:           `  evergate lever get origins.booking.max_in_flight`,
		Args:              exactly(1),
		ValidArgsFunction: completeLever(&from, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question[api.Lever]{
				ask: func(ctx context.Context, c *client.Client, args []string) (client.Answer[api.Lever], error) {
					return c.Lever(ctx, args[0])
				},
				text: leverDetail,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	return cmd
}

// leverDetail is everything that is known of a lever.
func leverDetail(l api.Lever, now time.Time) []string {
	lines := wrap("", l.Name+" = "+value(l.Value))
	add := func(label, text string) {
		lines = append(lines, labelled(fmt.Sprintf("  %-10s ", label), text)...)
	}
	add("does", l.Doc)
	add("takes", bounds(l))
	add("file", value(l.File))
	if l.Version > 0 {
		what := "set by"
		if !l.Set {
			what = "reset by"
		}
		add(what, l.Actor+" "+ago(l.Since, now)+" ("+moment(l.Since)+"): "+l.Reason)
	}
	if !l.Reverts.IsZero() {
		add("goes back", until(l.Reverts, now)+" ("+moment(l.Reverts)+")")
	}
	add("version", strconv.FormatInt(l.Version, 10))
	if l.Provisional {
		add("kept", "in this node's journal: the store is away, and gets the change when it is back")
	}
	return lines
}

// bounds say what values a lever takes.
func bounds(l api.Lever) string {
	switch l.Type {
	case "boolean":
		return "true or false"
	case "word":
		text := ""
		for i, w := range l.Words {
			switch {
			case i == 0:
			case i == len(l.Words)-1:
				text += " or "
			default:
				text += ", "
			}
			text += w
		}
		return text
	}
	unit := l.Unit
	if l.Type == "percent" {
		unit = "percent"
	}
	text := "a whole number"
	switch {
	case l.Min != nil && l.Max != nil:
		text = fmt.Sprintf("%s to %s", number(*l.Min), number(*l.Max))
	case l.Min != nil:
		text = number(*l.Min) + " or more"
	case l.Max != nil:
		text = "at most " + number(*l.Max)
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
