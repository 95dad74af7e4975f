package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/config"
)

// addConfig adds the flag --config to cmd.
func addConfig(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration `file` (default ./evergate.yaml, then /etc/evergate/evergate.yaml)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // fails only for a flag that is not there
}

// findConfig is config.Find with an error that ends in exit code 2.
func findConfig(path string) (string, error) {
	found, err := config.Find(path)
	if err != nil {
		return "", &exitError{code: exitUsage, err: fmt.Errorf("%w\nname a file with --config", err)}
	}
	return found, nil
}
