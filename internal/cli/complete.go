package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

// completeTimeout is how long somebody who pressed TAB waits at most.
const completeTimeout = time.Second

// completing asks the running Evergate for what could be typed. When nobody
// answers there are no suggestions: TAB is no place for an error.
func completing(from *connection, ask func(ctx context.Context, c *client.Client, args []string) []cobra.Completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := from.open(io.Discard)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer c.Close()
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completeTimeout)
		defer cancel()
		return ask(ctx, c, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// completeLever suggests names of levers; with values, then those of the one that
// was named.
func completeLever(from *connection, withValues bool) cobra.CompletionFunc {
	return completing(from, func(ctx context.Context, c *client.Client, args []string) []cobra.Completion {
		var all []cobra.Completion
		switch {
		case len(args) == 0:
			levers, _ := c.Levers(ctx) // without an answer there are none
			for _, l := range levers.Value.Levers {
				all = append(all, cobra.CompletionWithDesc(l.Name, "now "+clean(value(l.Value))))
			}
		case len(args) == 1 && withValues:
			lever, _ := c.Lever(ctx, args[0])
			all = values(lever.Value)
		}
		return all
	})
}

// values are those that a lever can have, where they are few.
func values(l api.Lever) []cobra.Completion {
	if l.Type == "boolean" {
		return []cobra.Completion{"true", "false"}
	}
	return l.Words
}

// completeServer suggests origins, then configured servers of the one that was named.
func completeServer(from *connection) cobra.CompletionFunc {
	return completing(from, func(ctx context.Context, c *client.Client, args []string) []cobra.Completion {
		origins, _ := c.Origins(ctx) // without an answer there are none
		var all []cobra.Completion
		for _, o := range origins.Value.Origins {
			switch {
			case len(args) == 0:
				all = append(all, o.Name)
			case len(args) == 1 && o.Name == args[0]:
				seen := map[string]bool{}
				for _, s := range o.Servers {
					if !seen[s.Configured] && !s.Leaving {
						all = append(all, cobra.CompletionWithDesc(s.Configured, s.Health))
					}
					seen[s.Configured] = true
				}
			}
		}
		return all
	})
}

func completeDue(from *connection) cobra.CompletionFunc {
	return completing(from, func(ctx context.Context, c *client.Client, args []string) []cobra.Completion {
		var all []cobra.Completion
		if len(args) == 0 {
			dues, _ := c.Dues(ctx) // without an answer there are none
			for _, d := range dues.Value.Due {
				if d.State == "pending" {
					all = append(all, cobra.CompletionWithDesc(d.ID, clean(dueSentence(d, dues.Value.At))))
				}
			}
		}
		return all
	})
}

func completeToken(from *connection) cobra.CompletionFunc {
	return completing(from, func(ctx context.Context, c *client.Client, args []string) []cobra.Completion {
		var all []cobra.Completion
		if len(args) == 0 {
			tokens, _ := c.Tokens(ctx) // without an answer there are none
			for _, t := range tokens.Value.Tokens {
				all = append(all, cobra.CompletionWithDesc(t.ID, clean(t.Name)+", "+string(t.Role)))
			}
		}
		return all
	})
}
