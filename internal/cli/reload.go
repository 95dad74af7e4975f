package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server/control"
)

func newReload() *cobra.Command {
	var file string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Bring an edited configuration into use",
		Long: `Reload asks the running Evergate to read its configuration again and waits until
that is done. When anything is wrong, every problem is printed, the old
configuration stays in use, and the exit code is 1.

It speaks over admin.sock in the data_dir that the file names, so it must run as
the same user as Evergate, or as root.

` + exitCodes,
		Example: `  evergate reload
  evergate reload --config /etc/evergate/evergate.yaml`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := findConfig(file)
			if err != nil {
				return err
			}
			dataDir, err := config.DataDir(path)
			if err != nil {
				return &exitError{code: exitUsage, err: fmt.Errorf("%w\nnobody was asked to reload; what runs goes on with its old configuration", err)}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			result, err := control.NewClient(filepath.Join(dataDir, control.SocketName)).Reload(ctx)
			if errors.Is(err, control.ErrNotRunning) {
				return fmt.Errorf("nothing to reload: %w; if node.data_dir was changed, restart instead", err)
			}
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("no answer within %s; the reload goes on, and the log says how it ends", timeout)
			}
			if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("%w; ask as the user that Evergate runs as, or as root", err)
			}
			if err != nil {
				return err
			}
			return report(cmd.OutOrStdout(), cmd.ErrOrStderr(), path, result)
		},
	}
	addConfig(cmd, &file)
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "longest `time` to wait; the reload itself goes on")
	return cmd
}

// report prints how a reload went. asked is the file that this command read.
func report(stdout, stderr io.Writer, asked string, result control.Result) error {
	for _, warning := range result.Warnings {
		fmt.Fprintf(stderr, "warning: %s\n", warning)
	}
	if result.Config != asked {
		fmt.Fprintf(stderr, "warning: what runs was started with %s, and has read that\n", result.Config)
	}
	if !result.OK {
		return &exitError{code: exitFailed, err: fmt.Errorf("%s: the old configuration stays in use", count(len(result.Problems), "problem")), problems: result.Problems}
	}
	for _, change := range result.Changes {
		fmt.Fprintln(stdout, change)
	}
	fmt.Fprintf(stdout, "reloaded %s in %d ms\n", result.Config, result.Millis)
	return nil
}
