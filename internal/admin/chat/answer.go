package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxTable is the most that an answer lists, in bytes: Mattermost takes 16,383
// characters, and nobody reads more in a chat.
const maxTable = 8000

// answer is what goes back to the chat, as plain text. A dialect writes it.
type answer struct {
	public  bool   // for the whole channel: that something was changed, and by whom
	text    string // sentences; lines end with \n
	table   string // lines in columns, below the text; may be empty
	outcome outcome
}

// private returns an answer for who asked, and nobody else.
func private(o outcome, format string, args ...any) answer {
	return answer{text: fmt.Sprintf(format, args...), outcome: o}
}

// table lines up columns, two spaces apart, and leaves out what does not fit, saying
// how much that is.
func table(rows [][]string) string {
	widths := []int{}
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if b.Len()+len(text) > maxTable {
			fmt.Fprintf(&b, "... and %d more; the command line shows all\n", len(rows)-n)
			break
		}
		b.WriteString(text + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// at writes a time for people who may sit in several time zones.
func at(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04 UTC")
	}
	return t.Format("2 January 15:04 UTC")
}

// age writes how long something has lasted, in its two largest units.
func age(d time.Duration) string {
	for i, u := range units {
		if d < u.unit || i == len(units)-1 {
			continue
		}
		return brief(d.Truncate(units[i+1].unit))
	}
	return brief(d)
}
