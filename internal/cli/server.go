package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

func newServer() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Drain a server, take it out, or bring it back",
		Long: `Server says what a server of an origin gets: drain lets it finish what it has,
disable also stops the checks, enable brings it back. These are the lever
origins.ORIGIN.servers[ADDR].state, so "evergate lever history" knows who did it and
"evergate lever reset" gives it back to the file.

ADDR is as the configuration has it, without http:// or https://. A host name stands
for all its addresses. "evergate origins" shows them.`,
		Example: `  evergate server drain booking 10.0.0.11:8080 --reason "kernel update"
  evergate server enable booking 10.0.0.11:8080 --reason "updated"`,
	}
	return family(cmd,
		newServerVerb("drain", "Send no new requests to a server; those under way end in peace"),
		newServerVerb("disable", "Send neither requests nor checks to a server"),
		newServerVerb("enable", "Bring a server back"),
	)
}

// newServerVerb returns the command that is called as the API calls the act.
func newServerVerb(verb, short string) *cobra.Command {
	var from connection
	var form string
	var t turning
	cmd := &cobra.Command{
		Use:               verb + " ORIGIN ADDR",
		Short:             short,
		Example:           "  evergate server " + verb + ` booking 10.0.0.11:8080 --revert-after 1h --reason "kernel update"`,
		Args:              exactly(2),
		ValidArgsFunction: completeServer(&from),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			q := question[api.Changed]{
				ask: func(ctx context.Context, c *client.Client, args []string) (client.Answer[api.Changed], error) {
					return c.Server(ctx, args[0], args[1], verb, t.reason, t.revertAfter)
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
	return cmd
}
