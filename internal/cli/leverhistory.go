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

func newLeverHistory() *cobra.Command {
	var from connection
	var form string
	var limit int
	var before int64
	cmd := &cobra.Command{
		Use:   "history NAME",
		Short: "Show who turned a lever, when, to what and why",
		Example: `  evergate lever history origins.booking.paused
  evergate lever history origins.booking.paused --limit 100 --before 42`,
		Args:              exactly(1),
		ValidArgsFunction: completeLever(&from, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || before < 0 {
				return &exitError{code: exitUsage, err: fmt.Errorf("--limit %d --before %d: want 1 or more, and a number of a change", limit, before)}
			}
			q := question[api.History]{
				ask: func(ctx context.Context, c *client.Client, args []string) (client.Answer[api.History], error) {
					return c.History(ctx, args[0], before, limit)
				},
				text: historyLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "at most so `many` changes, the last ones")
	cmd.Flags().Int64Var(&before, "before", 0, "only changes with a smaller `number`")
	return cmd
}

func historyLines(h api.History, _ time.Time) []string {
	t := newTable(">NO", "WHEN", "VALUE", "WHO", "WHY")
	for _, v := range h.Versions {
		no := strconv.FormatInt(v.Number, 10)
		if v.Provisional {
			no = "journal"
		}
		t.row(no, moment(v.At), value(v.Value), v.Actor, v.Reason)
	}
	lines := t.lines()
	if len(lines) == 0 {
		lines = []string{"it was never changed"}
	}
	if !h.Whole {
		lines = append(lines, wrap("", "The store is away: this is only what this node remembers.")...)
	}
	if h.Next > 0 {
		lines = append(lines, fmt.Sprintf("Older ones: --before %d", h.Next))
	}
	return lines
}
