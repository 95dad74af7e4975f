package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
	"github.com/evergate/evergate/internal/admin/token"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens for the API",
		Long: `A token lets a person or a program ask this Evergate from elsewhere, over the admin
listener. Its role says what it may do: viewer and auditor read, operator also turns
levers and reloads, admin does everything. What is done with a token is written
down under its name.`,
	}
	return family(cmd, newTokenCreate(), newTokenList(), newTokenRevoke())
}

func newTokenCreate() *cobra.Command {
	var from connection
	var form, role, expires string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, this once",
		Long: `Create prints the new token on standard output, alone, so that a script can keep
it. It is shown this once: only its hash is kept. NAME says who or what it is for.

` + asking + `

` + exitCodes,
		Example: `  evergate token create deploy-pipeline --role operator --expires 90d
  (umask 077; evergate token create monitoring --role viewer > monitoring.token)`,
		Args:              exactly(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted := api.NewToken{Name: args[0]}
			var err error
			if wanted.Role, err = token.ParseRole(role); err != nil {
				return &exitError{code: exitUsage, err: fmt.Errorf("--role: %w", err)}
			}
			if wanted.ExpiresIn, err = expiry(expires); err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			q := question[api.IssuedToken]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.IssuedToken], error) {
					return c.NewToken(ctx, wanted)
				},
				text: func(issued api.IssuedToken, now time.Time) []string {
					t := issued.Token
					fmt.Fprintf(cmd.ErrOrStderr(), "token %s for %s: %s, %s; it is shown this once\n", clean(t.ID), clean(t.Name), clean(string(t.Role)), expiryText(t, now))
					return []string{issued.Secret}
				},
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	var roles []string
	for _, r := range token.Roles() {
		roles = append(roles, string(r))
	}
	cmd.Flags().StringVar(&role, "role", string(token.Viewer), "what it may do: "+strings.Join(roles, ", "))
	cmd.Flags().StringVar(&expires, "expires", "90d", "how `long` it works, as in 12h or 90d; never: until it is revoked")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("expires", cobra.FixedCompletions([]string{"24h", "30d", "90d", "365d", "never"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// expiry reads --expires and writes it as the API wants it: without days.
func expiry(text string) (string, error) {
	if text == "never" {
		return text, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return strconv.Itoa(24*n) + "h", nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d.String(), nil
	}
	return "", fmt.Errorf("--expires %s: want a time such as 12h or 90d, or never", text)
}

func expiryText(t token.Token, now time.Time) string {
	switch {
	case t.Expires.IsZero():
		return "works until it is revoked"
	case t.Expired(now):
		return "is over"
	}
	return "works until " + moment(t.Expires)
}

func newTokenList() *cobra.Command {
	var from connection
	var form string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens that were not revoked",
		Example: `  evergate token list`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question[api.TokenList]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.TokenList], error) {
					return c.Tokens(ctx)
				},
				text: tokenLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	return cmd
}

func tokenLines(list api.TokenList, _ time.Time) []string {
	t := newTable("ID", "NAME", "ROLE", "ENDS", "MADE")
	for _, k := range list.Tokens {
		ends := "never"
		switch {
		case k.Expired(list.At):
			ends = "over since " + since(k.Expires, list.At)
		case !k.Expires.IsZero():
			ends = until(k.Expires, list.At)
		}
		t.row(k.ID, k.Name, string(k.Role), ends, ago(k.Created, list.At)+" by "+k.By)
	}
	lines := t.lines()
	if len(lines) == 0 {
		return []string{"there is no token; the socket of this machine needs none"}
	}
	return lines
}

func newTokenRevoke() *cobra.Command {
	var from connection
	var form string
	var t turning
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a token at once",
		Long: `Revoke ends a token on this node at once, and on the others when they learn of it
from the store. While the store is lost they do not: then revoke it on each of them.
Changes that the token asked for and that still wait for their time are listed and
go on; evergate due cancel takes one back.

` + asking + `

` + exitCodes,
		Example:           `  evergate token revoke 4k9x2m7q --reason "laptop was stolen"`,
		Args:              exactly(1),
		ValidArgsFunction: completeToken(&from),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := t.check(cmd); err != nil {
				return err
			}
			q := question[api.RevokedToken]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.RevokedToken], error) {
					return c.Revoke(ctx, args[0], t.reason)
				},
				text: revokedLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	t.addReason(cmd)
	return cmd
}

func revokedLines(r api.RevokedToken, now time.Time) []string {
	lines := []string{"token " + clean(r.ID) + " is revoked"}
	lines = append(lines, wrap("", r.Note)...)
	if len(r.Due) > 0 {
		lines = append(lines, "")
		lines = append(lines, dueLines(api.DueList{At: now, Due: r.Due}, now)...)
	}
	return lines
}
