package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// narrowest is the width for which the tables are made. Anything narrower is clipped.
const narrowest = 58

// style is how a piece of text stands out, if it may.
type style int

const (
	plain style = iota
	strong
	faint
	good
	bad
)

// piece is a text in one style; a line is pieces beside each other.
type piece struct {
	style style
	text  string
}

type line []piece

// table shows what the clients suffered without the door, and with it.
func (f *figures) table() []line {
	row := func(s style, label string, cells ...piece) line {
		l := line{{s, fmt.Sprintf("%-20s", label)}}
		for i, c := range cells {
			if i == 2 {
				l = append(l, piece{plain, "  "})
			}
			l = append(l, piece{c.style, fmt.Sprintf("%9s", c.text)})
		}
		return l
	}
	number := func(n int) piece { return piece{plain, fmt.Sprint(n)} }
	lines := []line{
		{{strong, fmt.Sprintf("%-20s%18s  %18s", "", "without the door", "with the door")}},
		row(strong, "", piece{strong, "GET"}, piece{strong, "POST"}, piece{strong, "GET"}, piece{strong, "POST"}),
		row(plain, "requests", number(f.get.logged), number(f.post.logged), number(f.get.sent), number(f.post.sent)),
	}
	for k := refused; k < kinds; k++ {
		cells := []piece{number(f.get.first[k]), number(f.post.first[k]), number(f.get.last[k]), number(f.post.last[k])}
		if k == other && f.get.first[k]+f.post.first[k]+f.get.last[k]+f.post.last[k] == 0 {
			continue
		}
		lines = append(lines, row(plain, "  "+k.String(), cells...))
	}
	return append(lines,
		row(plain, "failed", number(f.get.firstFailed()), number(f.post.firstFailed()), number(f.get.failed), number(f.post.failed)),
		row(strong, "failed, in percent",
			piece{bad, percent(f.get.firstFailed(), f.get.logged)}, piece{bad, percent(f.post.firstFailed(), f.post.logged)},
			piece{good, percent(f.get.failed, f.get.sent)}, piece{good, percent(f.post.failed, f.post.sent)}))
}

// orders says what became of the POSTs.
func (f *figures) orders() []line {
	s := good
	if f.twice > 0 {
		s = bad
	}
	return []line{
		{{plain, fmt.Sprintf("%-46s", "orders carried out twice")}, {s, fmt.Sprintf("%12d", f.twice)}},
		{{plain, fmt.Sprintf("%-46s%12d", "failed for the client, yet carried out", f.carried)}},
	}
}

// machines is one line for each server, and what the door made of them.
func (f *figures) machines() []line {
	lines := []line{{{strong, fmt.Sprintf("%-22s%-10s%13s%13s", "server", "state", "attempts", "failed")}}}
	for _, address := range slices.Sorted(maps.Keys(f.servers)) {
		w, state := f.servers[address], f.states[address]
		s := plain
		if state != "" && state != "up" {
			s = bad
		}
		lines = append(lines, line{{plain, fmt.Sprintf("%-22s", address)}, {s, fmt.Sprintf("%-10s", state)},
			{plain, fmt.Sprintf("%13d%11s %%", w.attempts, percent(w.failed, w.attempts))}})
	}
	requests := f.get.logged + f.post.logged
	if requests == 0 {
		return lines
	}
	return append(lines, line{{plain, fmt.Sprintf("%d requests, %d retries: %.2f attempts for each", requests,
		max(f.attempts-requests, 0), float64(f.attempts)/float64(requests))}})
}

// legend says what the figures mean, in lines of at most width.
func legend(width int) []line {
	const text = `Without the door: how the first attempt of each request went; a client that asks the API itself has no other. With the door: what the clients got in the end.
A GET that failed is made again, on another server first. So is an order that was refused, or declined by 503 with Retry-After. Any other failed order may have been carried out, so the door does not repeat it: its client is told, and can look before ordering again.`
	var lines []line
	for paragraph := range strings.SplitSeq(text, "\n") {
		for _, l := range wrap(paragraph, width) {
			lines = append(lines, line{{faint, l}})
		}
	}
	return lines
}

// sentence is the figures in one line, for logs.
func (f *figures) sentence() string {
	var states []string
	for _, address := range slices.Sorted(maps.Keys(f.states)) {
		states = append(states, f.states[address])
	}
	return fmt.Sprintf("%v: GET %d, failed without the door %s %%, with it %s %%; POST %d, %s %% and %s %%; orders carried out twice: %d; servers: %s",
		f.ran.Round(time.Second), f.get.sent, percent(f.get.firstFailed(), f.get.logged), percent(f.get.failed, f.get.sent),
		f.post.sent, percent(f.post.firstFailed(), f.post.logged), percent(f.post.failed, f.post.sent),
		f.twice, strings.Join(states, ", "))
}

// percent is part of whole with two digits, "-" while there is nothing.
func percent(part, whole int) string {
	if whole == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", 100*float64(part)/float64(whole))
}

// wrap breaks text between words into lines of at most width, where words let it.
func wrap(text string, width int) []string {
	var lines []string
	current := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case current == "":
			current = word
		case len(current)+1+len(word) > width:
			lines = append(lines, current)
			current = word
		default:
			current += " " + word
		}
	}
	if current != "" {
		lines = append(lines, current)
	}
	return lines
}
