package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

func newLevers() *cobra.Command {
	var from connection
	var form string
	var watch, set bool
	cmd := &cobra.Command{
		Use:   "levers",
		Short: "List the levers: what can be turned while it runs",
		Long: `Levers lists the settings that can be turned while Evergate runs, with their values
and those of the file. A lever's name is its path in the configuration. It holds
over reloads and restarts until it is reset. "evergate lever --help" turns them.

` + asking + `

` + exitCodes,
		Example: `  evergate levers
  evergate levers --set
  evergate levers --watch`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			shown := func(l api.LeverList) []api.Lever {
				var levers []api.Lever
				for _, lever := range l.Levers {
					if lever.Set || !set {
						levers = append(levers, lever)
					}
				}
				return levers
			}
			v := view[api.LeverList]{
				question[api.LeverList]{
					ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.LeverList], error) {
						return c.Levers(ctx)
					},
					text: func(l api.LeverList, _ time.Time) []string { return leverLines(shown(l), l) },
				},
				func(l api.LeverList) []entry {
					var facts []entry
					for _, lever := range shown(l) {
						facts = append(facts, leverFact(lever))
					}
					return facts
				},
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
	cmd.Flags().BoolVar(&set, "set", false, "only those that override the file")
	return cmd
}

// leverLines is the table of shown, or why it is empty.
func leverLines(shown []api.Lever, all api.LeverList) []string {
	if len(shown) == 0 {
		return []string{"no lever overrides the file"}
	}
	t := newTable("NAME", "VALUE", "FILE")
	for _, l := range shown {
		t.row(l.Name, value(l.Value), value(l.File))
		if l.Set {
			t.note(setBy(l, all.At) + ": " + l.Reason)
		}
	}
	return t.lines()
}
