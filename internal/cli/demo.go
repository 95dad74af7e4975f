package cli

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/demo"
)

func newDemo() *cobra.Command {
	var options demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See Evergate hide failures, with nothing to set up",
		Long: `Demo starts a hospital's vendor API on three servers of its own, which fail a
quarter of all requests in different ways; the door before them, with the same
configuration and code as "run"; and a stream of clients. It shows live what the
clients would have suffered, and what they did suffer. Ctrl-C stops it and prints
a summary. It writes to a temporary folder only, and removes that at the end.

On a terminal the figures are drawn in place (NO_COLOR=1 without colours);
elsewhere, and with TERM=dumb, they are a line every five seconds.

` + exitCodes,
		Example: `  evergate demo
  evergate demo --duration 30s --rate 500
  evergate demo --listen 127.0.0.1:9000 --seed 42`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// SIGHUP: whoever closes the terminal wants no files left either.
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if err := wrongDemo(options); err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			options.Out = cmd.OutOrStdout()
			return demo.Run(ctx, options)
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&options.Duration, "duration", 0, "stop by itself after this time (0: on Ctrl-C)")
	flags.IntVar(&options.Rate, "rate", 200, "requests of all clients per second, 1 to 2000")
	flags.Uint64Var(&options.Seed, "seed", 0, "begin of the row of faults, to see the same again (0: another one each time)")
	flags.StringVar(&options.Listen, "listen", "", "address of the door (default 127.0.0.1:8080, or any port where that is taken)")
	return cmd
}

// wrongDemo says what is wrong with the flags of demo.
func wrongDemo(o demo.Options) error {
	if o.Rate < 1 || o.Rate > 2000 {
		return fmt.Errorf("--rate %d: want 1 to 2000", o.Rate)
	}
	if _, _, err := net.SplitHostPort(o.Listen); o.Listen != "" && err != nil {
		return fmt.Errorf("--listen %s: want an address such as 127.0.0.1:9000", o.Listen)
	}
	return nil
}
