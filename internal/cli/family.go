package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// family makes cmd the head of members: alone it shows its help, and a word that
// none of them has is an error, not a silent help.
func family(cmd *cobra.Command, members ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(members...)
	cmd.SuggestionsMinimumDistance = 2 // as for the commands themselves
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += fmt.Sprintf("; did you mean %q?", near[0])
		}
		return &exitError{code: exitUsage, err: fmt.Errorf("%s\n\"%s --help\" shows what there is", text, cmd.CommandPath())}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}
