package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/client"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the configuration in use",
	}
	return family(cmd, newConfigShow())
}

func newConfigShow() *cobra.Command {
	var from connection
	var form string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the configuration in use, defaults filled in, levers included, no secrets",
		Long: `Show prints the configuration that a running Evergate works with: every default
filled in, levers included, secrets as "***". It is JSON, which is YAML too.

` + asking + `

` + exitCodes,
		Example: `  evergate config show
  evergate config show -o json | jq .origins.booking`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question[json.RawMessage]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[json.RawMessage], error) {
					return c.Config(ctx)
				},
				text: indented,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	return cmd
}

// indented is JSON for people.
func indented(text json.RawMessage, _ time.Time) []string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return []string{string(text)}
	}
	return strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
}
