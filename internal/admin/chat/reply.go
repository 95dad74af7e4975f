package chat

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// helpAnswer shows the grammar.
func helpAnswer(p *person) answer {
	var rows [][]string
	for _, u := range usage {
		if (command{verb: u.verb}).changes() && !p.mayChange() {
			continue
		}
		rows = append(rows, []string{u.form, u.does})
	}
	return answer{text: "This is what you can type:", table: table(rows), outcome: told}
}

// statusAnswer shows a node at a glance: whether all is well comes first.
func statusAnswer(s Status) answer {
	lines := []string{fmt.Sprintf("%s is %s. Evergate %s, up %s.", s.Node, s.Phase, s.Version, age(s.Uptime))}
	if s.Store != "" {
		lines = append(lines, s.Store)
	}
	var rows [][]string
	switch len(s.Conditions) {
	case 0:
		lines = append(lines, "All is well.")
	default:
		lines = append(lines, fmt.Sprintf("Not well: %d.", len(s.Conditions)))
	}
	for _, c := range s.Conditions {
		rows = append(rows, []string{c.Severity, c.Name, "since " + at(c.Since, s.At), c.Summary})
	}
	if len(s.Overrides) > 0 {
		lines = append(lines, fmt.Sprintf("Levers that are set: %d.", len(s.Overrides)))
	}
	parts := []string{}
	if len(rows) > 0 {
		parts = append(parts, table(rows))
	}
	if len(s.Overrides) > 0 {
		parts = append(parts, table(leverRows(s.Overrides, s.At)))
	}
	lines = append(lines, "As of "+s.At.UTC().Format("15:04:05 UTC")+".")
	return answer{text: strings.Join(lines, "\n"), table: strings.Join(parts, "\n\n"), outcome: told}
}

// leversAnswer shows the levers that are set or, with a part of a name, all that have it.
func leversAnswer(all []Lever, part string, now time.Time) answer {
	var found []Lever
	for _, l := range all {
		if part == "" && l.Set || part != "" && strings.Contains(strings.ToLower(l.Name), strings.ToLower(part)) {
			found = append(found, l)
		}
	}
	switch {
	case len(found) == 0 && part == "":
		return private(told, "No lever is set: all %d have the values of the configuration file. With a part of a name, levers shows those that have it.", len(all))
	case len(found) == 0:
		return private(told, "No lever has %q in its name. There are %d.", cut(part, 60), len(all))
	case part == "":
		return answer{text: fmt.Sprintf("%d of %d levers are set:", len(found), len(all)), table: table(leverRows(found, now)), outcome: told}
	}
	return answer{text: fmt.Sprintf("%d of %d levers:", len(found), len(all)), table: table(leverRows(found, now)), outcome: told}
}

func leverRows(levers []Lever, now time.Time) [][]string {
	rows := make([][]string, 0, len(levers))
	for _, l := range levers {
		row := []string{l.Name, l.Value}
		if l.Set {
			row = append(row, "file: "+l.File, "by "+l.Actor+" since "+at(l.Since, now)+until(l.Reverts, now, ", until "))
		}
		rows = append(rows, row)
	}
	return rows
}

// until writes a time behind before, or nothing for none.
func until(t, now time.Time, before string) string {
	if t.IsZero() {
		return ""
	}
	return before + at(t, now)
}

// leverAnswer shows one lever.
func leverAnswer(l Lever, now time.Time) answer {
	lines := []string{l.Name + " is " + l.Value + "."}
	if l.Set {
		lines = append(lines,
			fmt.Sprintf("Set by %s since %s%s. Reason: %s", l.Actor, at(l.Since, now), until(l.Reverts, now, ", until "), l.Reason),
			"The configuration file says "+l.File+".")
	} else {
		lines = append(lines, "That is the value of the configuration file; nobody has set another.")
	}
	if l.Doc != "" {
		lines = append(lines, l.Doc)
	}
	return answer{text: strings.Join(lines, "\n"), outcome: told}
}

// originsAnswer shows origins and their servers.
func originsAnswer(all []Origin, name string) answer {
	var rows [][]string
	names := make([]string, 0, len(all))
	for _, o := range all {
		names = append(names, o.Name)
		if name != "" && !strings.EqualFold(o.Name, name) {
			continue
		}
		state := ""
		if o.Paused {
			state = "paused"
		}
		rows = append(rows, []string{o.Name, state, "", "", strconv.Itoa(o.InFlight) + " in flight"})
		for _, s := range o.Servers {
			rows = append(rows, []string{"  " + s.Address, s.State, s.Health, "weight " + strconv.Itoa(s.Weight), strconv.Itoa(s.InFlight) + " in flight"})
		}
	}
	switch {
	case len(all) == 0:
		return private(told, "The configuration has no origins.")
	case len(rows) == 0:
		return private(refused, "There is no origin %q. There are: %s.", cut(name, 60), cut(strings.Join(names, ", "), 500))
	case name != "":
		return answer{text: "The origin and its servers:", table: table(rows), outcome: told}
	}
	return answer{text: fmt.Sprintf("%d origins and their servers:", len(all)), table: table(rows), outcome: told}
}

// changedAnswer tells the channel what was changed, by whom, why and for how long.
func changedAnswer(c command, p *person, before Lever, now time.Time, changed Changed) answer {
	var b strings.Builder
	after := changed.Lever
	switch {
	case c.verb == reset && !before.Set:
		fmt.Fprintf(&b, "%s has reset %s, which was not set: it is %s, as the configuration file says.", p.actor, after.Name, after.Value)
	case c.verb == reset:
		fmt.Fprintf(&b, "%s has reset %s: it was %s and is %s again, as the configuration file says.", p.actor, after.Name, before.Value, after.Value)
	default:
		fmt.Fprintf(&b, "%s has set %s: it was %s and is now %s", p.actor, after.Name, before.Value, after.Value)
		if changed.Reverts.IsZero() {
			b.WriteString(", until somebody resets it.")
		} else {
			fmt.Fprintf(&b, ", for %s, until %s.", brief(c.revert), at(changed.Reverts, now))
		}
	}
	b.WriteString("\nReason: " + c.reason)
	if changed.Journaled {
		b.WriteString("\nThe store cannot be reached. The change is in force and safe on this node's disk; it goes into the store when that is back.")
	}
	return answer{public: true, text: b.String(), outcome: done}
}

// conflictAnswer tells who was faster.
func conflictAnswer(now Lever, t time.Time) answer {
	return private(refused, "Nothing was changed: in the meantime %s has turned %s, which is now %s (since %s). Reason: %s\nIf you still want your change, send it again.",
		now.Actor, now.Name, now.Value, at(now.Since, t), now.Reason)
}

// lateAnswer is for a command that takes longer than the chat program waits.
func lateAnswer(c command, p *person) answer {
	if !c.changes() {
		return private(late, "This takes longer than a chat waits: Evergate is busy or its store is slow. Ask again in a moment.")
	}
	return answer{public: true, outcome: late, text: fmt.Sprintf(
		"%s has asked for this, and Evergate is still working on it: %s\nWhether it was done, %q shows in a moment. Do not send it again before that.",
		p.actor, c, string(get)+" "+c.lever())}
}
