package cli

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// value is a lever's value for people: words without quotes. null is the file's.
func value(v json.RawMessage) string {
	var word string
	if json.Unmarshal(v, &word) == nil && len(v) > 0 && v[0] == '"' {
		return word
	}
	if len(v) == 0 || string(v) == "null" {
		return "the file's value"
	}
	return string(v)
}

// rate is a number per second, with one digit where that says something.
func rate(r float64) string {
	if r > 0 && r < 10 {
		return strconv.FormatFloat(r, 'f', 1, 64)
	}
	return strconv.FormatFloat(r, 'f', 0, 64)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// since is how long something has lasted. "" when that is not known.
func since(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(max(now.Sub(t), 0))
}

// section is a part with a heading, after an empty line; nothing for no lines.
func section(heading string, lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return append([]string{"", heading}, lines...)
}

// labelled is text behind a label, with its further lines below the text.
func labelled(label, text string) []string {
	lines := wrap(strings.Repeat(" ", len(label)), text)
	if len(lines) > 0 {
		lines[0] = label + lines[0][len(label):]
	}
	return lines
}

// build names the binary.
func build(s api.Status) string {
	text := "evergate " + s.Version
	if s.Commit != "" {
		text += " (" + s.Commit[:min(12, len(s.Commit))] + ")"
	}
	return text + " " + s.Go
}

// storeSentence says how the settings are kept.
func storeSentence(s api.Store, settings api.Settings) string {
	text := storeName(s)
	if s.Lost {
		text += ", lost"
	}
	text += ", at change " + strconv.FormatInt(settings.Rev, 10)
	if settings.Journal > 0 {
		text += "; " + count(settings.Journal, "change") + " in this node's journal"
	}
	if settings.Due > 0 {
		text += "; " + count(settings.Due, "change") + " due later"
	}
	if settings.Skipped > 0 {
		text += "; " + count(settings.Skipped, "change") + " skipped"
	}
	return text
}

func storeName(s api.Store) string {
	switch s.Kind {
	case "sqlite":
		return "SQLite in data_dir"
	case "postgres":
		return "PostgreSQL"
	}
	return s.Kind
}
