package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/client"
)

// addForm adds the flag -o to a command that prints what the API answers.
func addForm(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", "table", "`form` of the answer: table, or json as the API gives it")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	share(cmd)
}

// wantsJSON reads the value of -o.
func wantsJSON(form string) (bool, error) {
	switch form {
	case "table":
		return false, nil
	case "json":
		return true, nil
	}
	return false, &exitError{code: exitUsage, err: fmt.Errorf("-o %s: want table or json", form)}
}

// writeJSON writes what the API answered, byte for byte, and a line's end.
func writeJSON(out io.Writer, text json.RawMessage) error {
	if n := len(text); n > 0 && text[n-1] == '\n' {
		text = text[:n-1]
	}
	_, err := fmt.Fprintf(out, "%s\n", text)
	return err
}

// question is a command that asks one thing and prints the answer.
type question[T any] struct {
	ask  func(ctx context.Context, c *client.Client, args []string) (client.Answer[T], error)
	text func(answer T, now time.Time) []string // for people; now is when it was answered
}

// run asks and prints.
func (q question[T]) run(cmd *cobra.Command, from *connection, form string, args []string) error {
	asJSON, err := wantsJSON(form)
	if err != nil {
		return err
	}
	c, err := from.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := q.once(cmd.Context(), c, args)
	if err != nil {
		return withAdvice(err)
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), answer.JSON)
	}
	return writeLines(cmd.OutOrStdout(), q.text(answer.Value, answer.At))
}

// once asks once, and waits askTimeout at most.
func (q question[T]) once(ctx context.Context, c *client.Client, args []string) (client.Answer[T], error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return q.ask(ctx, c, args)
}
