package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

func newStore() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "See, back up, restore and move the store of settings",
		Long: `The store keeps what operators change, with its history: SQLite in data_dir, or the
PostgreSQL of store.url. Status and confirm ask the running Evergate; the others
work on the files, on the machine itself, as the user that Evergate runs as or as
root.`,
	}
	return family(cmd, newStoreStatus(), newStoreBackup(), newStoreRestore(), newStoreMigrate(), newStoreConfirm())
}

func newStoreStatus() *cobra.Command {
	var from connection
	var form string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say how the store is, and what to do",
		Example: `  evergate store status`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question[api.Store]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.Store], error) {
					return c.Store(ctx)
				},
				text: storeLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	return cmd
}

func storeLines(s api.Store, now time.Time) []string {
	text := fmt.Sprintf("%s takes changes, for %s", storeName(s), since(s.Since, now))
	if s.Lost {
		text = fmt.Sprintf("%s is lost, for %s: changes go to this node's journal until it is back", storeName(s), since(s.Since, now))
	}
	lines := wrap("", text)
	lines = append(lines, wrap("  ", s.Error)...)
	lines = append(lines, wrap("  ", s.Advice)...)
	if s.Confirm != "" {
		lines = append(lines, wrap("", s.Confirm)...)
		lines = append(lines, wrap("  ", "evergate store confirm --refill writes what this node knows into it; --accept takes it as it is.")...)
	}
	return lines
}

func newStoreConfirm() *cobra.Command {
	var from connection
	var t turning
	var refill, accept bool
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "Say what to do with a store that came back empty, older, or as another one",
		Long: `A store that comes back empty, older than this node remembers, or as another one, is
not believed: it may be a mistake, and what was set would be gone. Evergate goes on
with what it knows until somebody says which of the two is right.

With --accept, tokens that were revoked stay so, as far as this node knows of them. A
token that was made after the store's last moment is gone.

` + asking + `

` + exitCodes,
		Example: `  evergate store confirm --refill --reason "the database was made anew after the disk broke"
  evergate store confirm --accept --reason "restored yesterday's state on purpose"`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if refill == accept {
				return &exitError{code: exitUsage, err: errors.New("say one of --refill (this node is right: write what it knows into the store) and --accept (the store is right: what it does not have is lost)")}
			}
			if err := t.check(cmd); err != nil {
				return err
			}
			how, done := api.Refill, "the store gets what this node knows"
			if accept {
				how, done = api.Accept, "the store is taken as it is; look at evergate token list, for tokens that should not be there"
			}
			return act(cmd, &from, done, func(ctx context.Context, c *client.Client) error { return c.Confirm(ctx, how, t.reason) })
		},
	}
	addConnection(cmd, &from)
	t.addReason(cmd)
	cmd.Flags().BoolVar(&refill, "refill", false, "write the settings that this node knows into the store")
	cmd.Flags().BoolVar(&accept, "accept", false, "take the store as it is; what it does not have is lost")
	return cmd
}
