package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/config"
)

func newReload() *cobra.Command {
	var from connection
	var form string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Bring an edited configuration into use",
		Long: `Reload asks the running Evergate to read its configuration again and waits until
that is done. When anything is wrong, every problem is printed, the old
configuration stays in use, and the exit code is 1. Levers that override the file
are named: they stay until they are reset.

` + asking + `

` + exitCodes,
		Example: `  evergate reload
  evergate reload --config /etc/evergate/evergate.yaml`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := wantsJSON(form)
			if err != nil {
				return err
			}
			c, err := from.open(cmd.ErrOrStderr())
			var usage *exitError
			if errors.As(err, &usage) {
				usage.err = fmt.Errorf("%w\nnobody was asked to reload; what runs goes on with its old configuration", usage.err)
			}
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			answer, err := c.Reload(ctx)
			switch {
			case errors.Is(err, client.ErrNotRunning):
				return fmt.Errorf("nothing to reload: %w; if node.data_dir was changed, restart instead", err)
			case errors.Is(err, context.DeadlineExceeded):
				return fmt.Errorf("no answer within %s; the reload goes on, and the log says how it ends", timeout)
			case err != nil:
				return err
			}
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), answer.JSON); err != nil || answer.Value.OK {
					return err
				}
				return &exitError{code: exitFailed}
			}
			return report(cmd.OutOrStdout(), cmd.ErrOrStderr(), from.here(), answer.Value)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "longest `time` to wait; the reload itself goes on")
	return cmd
}

// here is the path of the configuration by which an Evergate of this machine was
// found, "" for one elsewhere.
func (c *connection) here() string {
	if c.elsewhere() != "" {
		return ""
	}
	path, err := config.Find(c.config)
	if err != nil {
		return ""
	}
	return path
}

// report prints how a reload went. asked is the file that this command read, "": none.
func report(stdout, stderr io.Writer, asked string, result api.Reload) error {
	for _, warning := range result.Warnings {
		fmt.Fprintf(stderr, "warning: %s\n", clean(warning))
	}
	if asked != "" && result.Config != asked {
		fmt.Fprintf(stderr, "warning: what runs was started with %s, and has read that\n", clean(result.Config))
	}
	if !result.OK {
		problems := make([]string, len(result.Problems))
		for i, p := range result.Problems {
			problems[i] = clean(p)
		}
		return &exitError{code: exitFailed, err: fmt.Errorf("%s: the old configuration stays in use", count(len(problems), "problem")), problems: problems}
	}
	for _, change := range append(result.Changes, result.Levers...) {
		fmt.Fprintln(stdout, clean(change))
	}
	_, err := fmt.Fprintf(stdout, "reloaded %s in %d ms\n", clean(result.Config), seconds(result.Seconds).Milliseconds())
	return err
}
