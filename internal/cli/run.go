package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/server"
	"github.com/evergate/evergate/internal/server/collector"
)

func newRun() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Serve, in the foreground",
		Long: `Run serves what the configuration says until it is told to stop.

Signals:
  SIGHUP          read the configuration again (a bad one keeps the old one)
  SIGUSR1         open the log files again, for logrotate
  SIGTERM, SIGINT drain: let requests under way end, then stop; a second one stops at once

` + exitCodes,
		Example: `  evergate run
  evergate run --config /etc/evergate/evergate.yaml`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := findConfig(file)
			if err != nil {
				return err
			}
			s, err := server.New(path, server.Options{
				Log:          cmd.ErrOrStderr(),
				Stdout:       cmd.OutOrStdout(),
				Signals:      true,
				NotifySocket: os.Getenv("NOTIFY_SOCKET"),
			})
			if err != nil {
				return configFailure(err)
			}
			defer collector.Start()()
			return s.Run(context.Background())
		},
	}
	addConfig(cmd, &file)
	return cmd
}

// configFailure gives the errors of a bad configuration, one in each line, the
// exit code of a bad configuration. Other errors stay as they are.
func configFailure(err error) error {
	var bad *server.ConfigError
	if !errors.As(err, &bad) {
		return err
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("%s in %s", count(len(bad.Problems), "problem"), bad.File), problems: bad.Problems}
}

// count is "1 problem" or "2 problems".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
