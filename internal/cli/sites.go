package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

func newSites() *cobra.Command {
	var from connection
	var form string
	cmd := &cobra.Command{
		Use:   "sites",
		Short: "Show the sites and where their routes lead",
		Long: `Sites shows every site with its routes in the order in which they are tried.
"evergate explain URL" says more of one request.

` + asking + `

` + exitCodes,
		Example: `  evergate sites`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := question[api.SiteList]{
				ask: func(ctx context.Context, c *client.Client, _ []string) (client.Answer[api.SiteList], error) {
					return c.Sites(ctx)
				},
				text: siteLines,
			}
			return q.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	return cmd
}

func siteLines(list api.SiteList, _ time.Time) []string {
	var lines []string
	for i, s := range list.Sites {
		if i > 0 {
			lines = append(lines, "")
		}
		text := strings.Join(s.Hosts, ", ")
		if s.Maintenance {
			text += ": under maintenance, visitors get the maintenance page"
		}
		lines = append(lines, wrap("", text)...)
		if len(s.RedirectFrom) > 0 {
			lines = append(lines, wrap("  ", "redirected to it: "+strings.Join(s.RedirectFrom, ", "))...)
		}
		t := newTable("ROUTE", "GOES TO")
		t.indent = "  "
		for _, r := range s.Routes {
			target := r.Action
			if r.Origin != "" {
				target = "origin " + r.Origin
			}
			t.row(r.Match, target)
		}
		lines = append(lines, t.lines()...)
	}
	return lines
}
