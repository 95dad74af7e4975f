package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

// validateAsks is how long validate waits for a running Evergate, which it can do
// without.
const validateAsks = 2 * time.Second

func newValidate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration file",
		Long: `Validate reads the configuration and everything that it names (certificates,
keys, templates), and prints all problems at once, each with file, line and key.
Nothing is started. When an Evergate runs on the data_dir of the file, validate
also says which levers would override the file there, and who has turned them.

` + exitCodes,
		Example: `  evergate validate
  evergate validate --config new.yaml && cp new.yaml /etc/evergate/evergate.yaml`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := findConfig(file)
			if err != nil {
				return err
			}
			cfg, warnings, err := server.Load(path)
			for _, warning := range warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", warning)
			}
			if err != nil {
				return configFailure(err)
			}
			routes := 0
			for _, site := range cfg.Sites {
				routes += len(site.Routes)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is good: %s, %s, %s\n", path,
				count(len(cfg.Sites), "site"), count(routes, "route"), count(len(cfg.Origins), "origin"))
			for _, difference := range runningDifferences(cmd.Context(), cfg) {
				fmt.Fprintf(cmd.ErrOrStderr(), "lever: %s\n", clean(difference))
			}
			return nil
		},
	}
	addConfig(cmd, &file)
	return cmd
}

// runningDifferences says how cfg differs from the levers of the Evergate that runs
// on its data_dir. Where none runs, or this user may not ask it, there is nothing to say.
func runningDifferences(ctx context.Context, cfg *config.Config) []string {
	asked, err := client.New(client.Options{Socket: filepath.Join(cfg.Node.DataDir, adminsocket.Name)})
	if err != nil {
		return nil
	}
	defer asked.Close()
	ctx, cancel := context.WithTimeout(ctx, validateAsks)
	defer cancel()
	answer, err := asked.Levers(ctx)
	if err != nil {
		return nil
	}
	return server.Differences(cfg, answer.Value.Levers)
}
