package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/client"
)

// overview is what status shows.
type overview struct {
	api.Status
	origins []api.Origin
}

func newStatus() *cobra.Command {
	var from connection
	var form string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what is wrong and what to do, who has turned what, and how much passes",
		Long: `Status shows in this order: what is not well, with what to do about it; servers
that get no ordinary traffic; levers that override the file, with who turned them,
why and until when; what passes through the door; which Evergate this is.

` + asking + `

` + exitCodes,
		Example: `  evergate status
  evergate status --watch
  evergate status -o json | jq -r '.conditions[] | select(.severity != "ok") | .summary'`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			v := view[overview]{question[overview]{askOverview, overviewLines}, overviewFacts}
			if watch {
				return v.watch(cmd, &from, form, args)
			}
			return v.run(cmd, &from, form, args)
		},
	}
	addConnection(cmd, &from)
	addForm(cmd, &form)
	addWatch(cmd, &watch)
	return cmd
}

// askOverview asks for the status, whose JSON is the answer's, and the origins.
func askOverview(ctx context.Context, c *client.Client, _ []string) (client.Answer[overview], error) {
	status, err := c.Status(ctx)
	if err != nil {
		return client.Answer[overview]{}, err
	}
	origins, err := c.Origins(ctx)
	return client.Answer[overview]{Value: overview{status.Value, origins.Value.Origins}, JSON: status.JSON, At: status.At}, err
}

// notUp calls yield for every server that gets no ordinary traffic.
func (o overview) notUp(yield func(origin string, s api.Server)) {
	for _, origin := range o.origins {
		for _, s := range origin.Servers {
			if s.Health != "up" && s.Health != "ramping" {
				yield(origin.Name, s)
			}
		}
	}
}

func overviewLines(o overview, _ time.Time) []string {
	lines := []string{headline(o.Status)}
	for _, c := range o.Conditions {
		if c.Severity != api.OK {
			lines = append(lines, conditionLines(c, o.At)...)
		}
	}

	servers := newTable("ORIGIN", "SERVER", "HEALTH", "FOR", "WHY")
	servers.indent = "  "
	o.notUp(func(origin string, s api.Server) {
		servers.row(origin, s.Address, s.Health, since(s.Since, o.At), s.Reason)
	})
	lines = append(lines, section("Servers that are not up", servers.lines())...)

	var levers []string
	for _, l := range o.Overrides {
		levers = append(levers, overrideLines(l, o.At)...)
	}
	lines = append(lines, section("Levers that override the file", levers)...)

	f := o.Figures
	lines = append(lines, "",
		fmt.Sprintf("Traffic  %s requests/s, %s errors/s, %s retries/s", rate(f.Requests), rate(f.Errors), rate(f.Retries)),
		fmt.Sprintf("         %d in flight, %d waiting, %s", f.InFlight, f.Queued, count(f.Connections, "connection")))
	lines = append(lines, labelled("Store    ", storeSentence(o.Store, o.Settings))...)
	lines = append(lines, labelled("Process  ", fmt.Sprintf("%d, up %s, %s", o.PID, span(seconds(o.Uptime)), build(o.Status)))...)
	return append(lines, labelled("Config   ", fmt.Sprintf("%s, loaded %s", o.Config, ago(o.Loaded, o.At)))...)
}

// headline says whether all is well, and how old the answer is.
func headline(s api.Status) string {
	failing, warnings := 0, 0
	for _, c := range s.Conditions {
		switch c.Severity {
		case api.Failing:
			failing++
		case api.Warning:
			warnings++
		}
	}
	how := "all is well"
	switch {
	case failing > 0 && warnings > 0:
		how = count(failing, "error") + ", " + count(warnings, "warning")
	case failing > 0:
		how = count(failing, "error")
	case warnings > 0:
		how = count(warnings, "warning")
	}
	return clean(fmt.Sprintf("%s is %s: %s (as of %s)", s.Node, s.Phase, how, s.At.Local().Format(time.TimeOnly)))
}

// severities are the words before a condition, all as wide.
var severities = map[api.Severity]string{api.Failing: "ERROR    ", api.Warning: "WARNING  "}

func conditionLines(c api.Condition, now time.Time) []string {
	label, known := severities[c.Severity]
	if !known {
		label = fmt.Sprintf("%-9s", c.Severity)
	}
	text := c.Name + ": " + c.Summary
	if age := since(c.Since, now); age != "" {
		text = c.Name + ", for " + age + ": " + c.Summary
	}
	lines := append([]string{""}, labelled(label, text)...)
	return append(lines, wrap("         ", c.Detail)...)
}

// overrideLines say what a lever is, and who has turned it, why and until when.
func overrideLines(l api.Lever, now time.Time) []string {
	lines := wrap("  ", fmt.Sprintf("%s = %s (the file says %s)", l.Name, value(l.Value), value(l.File)))
	return append(lines, wrap("      ", setBy(l, now)+": "+l.Reason)...)
}

// setBy is who set a lever, when, and until when.
func setBy(l api.Lever, now time.Time) string {
	text := l.Actor + " " + ago(l.Since, now)
	if !l.Reverts.IsZero() {
		text += ", back " + until(l.Reverts, now)
	}
	if l.Provisional {
		text += ", in this node's journal"
	}
	return text
}

// overviewFacts are what --watch prints when it changes.
func overviewFacts(o overview) []entry {
	facts := []entry{{key: "phase", text: o.Node + " is " + string(o.Phase)}}
	for _, c := range o.Conditions {
		if c.Severity != api.OK {
			facts = append(facts, entry{"condition " + c.Name, fmt.Sprintf("%s %s: %s %s", c.Severity, c.Name, c.Summary, c.Detail), c.Name + " is well again"})
		}
	}
	o.notUp(func(origin string, s api.Server) { facts = append(facts, serverFact(origin, s)) })
	for _, l := range o.Overrides {
		facts = append(facts, leverFact(l))
	}
	return facts
}

// serverFact is a server's health. gone is said of one that is up, or no more there.
func serverFact(origin string, s api.Server) entry {
	key := "server " + origin + " " + s.Address
	text := key + ": " + s.Health
	if s.Reason != "" {
		text += ", " + s.Reason
	}
	return entry{key, text, key + ": up again or gone"}
}

func leverFact(l api.Lever) entry {
	key := "lever " + l.Name
	text := fmt.Sprintf("%s = %s", key, value(l.Value))
	if l.Set {
		text += fmt.Sprintf(" (the file says %s), %s: %s", value(l.File), l.Actor, l.Reason)
	}
	return entry{key, text, key + ": back to the file"}
}
