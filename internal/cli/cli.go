// Package cli is the command line of Evergate: one file per command, or per family
// of commands. Those that operate ask the running Evergate (internal/admin/client),
// the others ask internal/server. They print what was asked for on standard
// output, everything else on standard error, and end with a code that scripts can
// rely on (see Main).
package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const exitCodes = `Exit codes:
  0  done
  1  it failed: nobody answers, a reload was refused, somebody was faster, ...
  2  the command line or the configuration file is wrong`

// exitError is an error with the code for it. A nil err means that everything
// has been said already.
type exitError struct {
	code     int
	err      error
	problems []string // printed before err, each on its own: "file:line:column: ..." is what editors look for
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// Main runs the command that args name, without the program's name, and
// returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // for nil, cobra would look at os.Args
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitFailed, err: err}
		if isUsage(err) {
			exit = &exitError{code: exitUsage, err: fmt.Errorf("%w\n\"evergate --help\" shows what there is", err)}
		}
	}
	for _, problem := range exit.problems {
		fmt.Fprintln(stderr, cleanLines(problem))
	}
	if exit.err != nil {
		fmt.Fprintf(stderr, "evergate: %s\n", cleanLines(exit.err.Error()))
	}
	return exit.code
}

// isUsage reports whether err is cobra's word for a command that it does not
// know; wrong flags and arguments are marked where they are found.
func isUsage(err error) bool { return strings.HasPrefix(err.Error(), "unknown command") }

// newRoot returns the whole tree of commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "evergate",
		Short: "The front door that keeps critical public services open",
		Long: `Evergate is a gateway and reverse proxy: it stands before your web servers,
hides their failures from visitors, and never applies a request twice.

` + exitCodes,
		Example: `  evergate demo                           see it hide failures, with nothing to set up
  evergate validate                       check ./evergate.yaml
  evergate explain https://shop.example/  what would this request meet?
  evergate run                            serve
  evergate status                         is all well, and if not, what to do
  evergate lever set origins.shop.paused true --revert-after 15m --reason "database moves"
  evergate reload                         bring an edited file into use`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &exitError{code: exitUsage, err: fmt.Errorf("%w\n\"%s --help\" shows the flags", err, cmd.CommandPath())}
	})
	addGroup(root, "run", "Run", newRun(), newDemo(), newValidate())
	addGroup(root, "look", "Look", newStatus(), newOrigins(), newSites(), newLevers(), newConfig(), newExplain())
	addGroup(root, "operate", "Operate", newLever(), newServer(), newDue(), newReload())
	addGroup(root, "maintain", "Maintain", newToken(), newStore(), newKey(), newVersion())
	root.SetHelpCommandGroupID("maintain")
	root.SetCompletionCommandGroupID("maintain")
	return root
}

// addGroup adds commands under a heading of the help.
func addGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title + ":"})
	for _, cmd := range commands {
		cmd.GroupID = id
		root.AddCommand(cmd)
	}
}

// exactly is cobra.ExactArgs with an error that ends in exit code 2.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return &exitError{code: exitUsage, err: fmt.Errorf("%s takes %s, not %d\n\"%s --help\" shows how", cmd.CommandPath(), arguments(n), len(args), cmd.CommandPath())}
	}
}

func arguments(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "one argument"
	}
	return fmt.Sprintf("%d arguments", n)
}
