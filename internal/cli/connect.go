package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/config"
	"github.com/evergate/evergate/internal/server/adminsocket"
)

// askTimeout is how long a command waits for one answer.
const askTimeout = 10 * time.Second

// sharedFlag marks a flag that many commands have, which the reference explains
// once.
const sharedFlag = "evergate_shared"

// sharedFlags are their names.
var sharedFlags = []string{"config", "server", "token-file", "ca", "output"}

// share marks those of sharedFlags that cmd has.
func share(cmd *cobra.Command) {
	for _, name := range sharedFlags {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.Flags().SetAnnotation(name, sharedFlag, []string{"true"}) // fails only for a flag that is not there
		}
	}
}

// The environment variables that stand in for flags. There is none, and no flag,
// for the token's file content on the command line: other users see that.
const (
	serverVariable = "EVERGATE_SERVER"
	tokenVariable  = "EVERGATE_TOKEN"
)

// asking stands in the help of every command that asks a running Evergate.
const asking = `The one that is asked is the Evergate of this machine, over admin.sock in the
data_dir that the configuration names, without any set-up; or another one, with
--server and a token.`

// connection is which Evergate a command asks.
type connection struct {
	config, server, tokenFile, ca string
}

// addConnection adds the flags that say whom to ask.
func addConnection(cmd *cobra.Command, c *connection) {
	addConfig(cmd, &c.config)
	flags := cmd.Flags()
	flags.StringVar(&c.server, "server", "", "`URL` of an Evergate elsewhere, https://HOST:PORT (default $"+serverVariable+", else the one of this machine)")
	flags.StringVar(&c.tokenFile, "token-file", "", "`file` with the token for --server (default: the token in $"+tokenVariable+")")
	flags.StringVar(&c.ca, "ca", "", "`file` with the authority of the server's certificate, PEM (default: the system's)")
	share(cmd)
	_ = cmd.MarkFlagFilename("token-file")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt")
	_ = cmd.RegisterFlagCompletionFunc("server", cobra.NoFileCompletions)
}

// open returns a client for the Evergate that is meant. Warnings go to stderr.
// Errors end in exit code 2: nobody was asked.
func (c *connection) open(stderr io.Writer) (*client.Client, error) {
	options, err := c.options(stderr)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	asked, err := client.New(options)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return asked, nil
}

// elsewhere is the URL of the Evergate that is meant, "" for the one of this
// machine. A configuration that was named goes before the environment.
func (c *connection) elsewhere() string {
	if c.server == "" && c.config == "" {
		return os.Getenv(serverVariable)
	}
	return c.server
}

func (c *connection) options(stderr io.Writer) (client.Options, error) {
	o := client.Options{Server: c.elsewhere()}
	if c.server != "" && c.config != "" {
		return o, errors.New("--server and --config name two Evergates; give one of them")
	}
	if o.Server == "" {
		if c.tokenFile != "" || c.ca != "" {
			return o, errors.New("--token-file and --ca are for an Evergate elsewhere; name it with --server")
		}
		path, err := config.Find(c.config)
		if err != nil {
			return o, fmt.Errorf("%w\nname a file with --config, or an Evergate elsewhere with --server", err)
		}
		dataDir, err := config.DataDir(path)
		if err != nil {
			return o, err
		}
		o.Socket = filepath.Join(dataDir, adminsocket.Name)
		return o, nil
	}
	o.CA = c.ca
	var err error
	switch token := os.Getenv(tokenVariable); {
	case c.tokenFile != "":
		var warning string
		o.Token, warning, err = client.ReadToken(c.tokenFile)
		if warning != "" {
			fmt.Fprintf(stderr, "warning: %s\n", clean(warning))
		}
	case token != "":
		if o.Token, err = client.CheckToken(token); err != nil {
			err = fmt.Errorf("read the token in %s: %w", tokenVariable, err)
		}
	}
	return o, err
}

// withAdvice adds what a person should know of an error of the client.
func withAdvice(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s (%w); it may be busy, and may have done what was asked: look before you ask again", askTimeout, err)
	case errors.Is(err, client.ErrNotRunning):
		return fmt.Errorf("%w; start it with \"evergate run\" (systemctl start evergate), or name another one with --config or --server", err)
	}
	return err
}
