package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/server"
)

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			build := server.ThisBuild()
			asJSON, err := jsonWanted(output)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(build)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "evergate %s", build.Version)
			if build.Revision != "" {
				fmt.Fprintf(cmd.OutOrStdout(), " (%.12s)", build.Revision)
			}
			fmt.Fprintf(cmd.OutOrStdout(), " %s %s\n", build.Go, build.Platform)
			return nil
		},
	}
	addOutput(cmd, &output)
	return cmd
}

// addOutput adds the flag -o to cmd.
func addOutput(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "`form` of the answer: text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
}

// jsonWanted reads the value of -o.
func jsonWanted(output string) (bool, error) {
	switch output {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, &exitError{code: exitUsage, err: fmt.Errorf("-o %s: want text or json", output)}
}
