package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/server"
)

func newValidate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration file",
		Long: `Validate reads the configuration and everything that it names (certificates,
keys, templates), and prints all problems at once, each with file, line and key.
Nothing is started and nobody is asked.

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
			return nil
		},
	}
	addConfig(cmd, &file)
	return cmd
}
