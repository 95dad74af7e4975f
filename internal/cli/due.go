package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

func newDue() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "due",
		Short: "See and take back changes that wait for their time",
		Long: `Due is about changes of levers that wait for their time: what "lever set --at" has
asked for, and the way back of what was set with --revert-after.`,
	}
	return family(cmd, newDueList(), newDueCancel())
}

func newDueList() *cobra.Command {
	var from connection
	var form string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List what waits, the next one first, and what was skipped lately",
		Example: `  evergate due list`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question[api.DueList]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.DueList], error) {
					return c.Dues(ctx)
				},
				text: dueLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	return cmd
}

func dueLines(list api.DueList, _ time.Time) []string {
	if len(list.Due) == 0 {
		return []string{"nothing waits for its time"}
	}
	var lines []string
	for i, d := range list.Due {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, wrap("", dueSentence(d, list.At))...)
		lines = append(lines, wrap("    ", d.Actor+" "+ago(d.Created, list.At)+": "+d.Reason)...)
		lines = append(lines, "    id "+clean(d.ID))
	}
	return lines
}

func dueSentence(d api.Due, now time.Time) string {
	what := fmt.Sprintf("%s = %s", d.Lever, value(d.Value))
	if d.Kind == "revert" {
		what = fmt.Sprintf("%s back to %s", d.Lever, value(d.Value))
	}
	switch {
	case d.State != "pending":
		text := d.State + " " + ago(d.Settled, now) + ": " + what
		if d.Note != "" {
			text += " (" + d.Note + ")"
		}
		return text
	case d.At.Before(now):
		return "overdue since " + since(d.At, now) + ": " + what
	}
	return until(d.At, now) + " (" + moment(d.At) + "): " + what
}

func newDueCancel() *cobra.Command {
	var from connection
	var t turning
	cmd := &cobra.Command{
		Use:               "cancel ID",
		Short:             "Take back a change that waits",
		Example:           `  evergate due cancel 06h12pryam4sd0fs000001249g --reason "release is put off"`,
		Args:              exactly(1),
		ValidArgsFunction: completeDue(&from),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			return act(cmd, &from, fmt.Sprintf("%s is cancelled: it will not be made", args[0]), func(ctx context.Context, c *client.Client) error {
				return c.Cancel(ctx, args[0], t.reason)
			})
		},
	}
	addConnection(cmd, &from)
	t.addReason(cmd)
	return cmd
}

// act asks for something whose only answer is that it was done.
func act(cmd *cobra.Command, from *connection, done string, what func(ctx context.Context, c *client.Client) error) error {
	c, err := from.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), askTimeout)
	defer cancel()
	if err := what(ctx, c); err != nil {
		return withAdvice(err)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
	return err
}
