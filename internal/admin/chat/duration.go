package chat

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxRevert is the longest time that a command can name. What a lever allows is the
// operator's side to say; this only keeps numbers from overflowing.
const maxRevert = 366 * 24 * time.Hour

// units are the words for units of time, the longest unit first.
var units = []struct {
	unit  time.Duration
	words []string
}{
	{24 * time.Hour, []string{"d", "day", "days"}},
	{time.Hour, []string{"h", "hr", "hrs", "hour", "hours"}},
	{time.Minute, []string{"m", "min", "mins", "minute", "minutes"}},
	{time.Second, []string{"s", "sec", "secs", "second", "seconds"}},
}

var (
	timePart = regexp.MustCompile(`^ *([0-9]{1,9}) *([a-z]+)`)
	timeTail = regexp.MustCompile(`(?i)(?:^|[ ,;(])(for +[0-9][0-9a-z ]*)[.!)]*$`)
)

// duration reads "15m", "1h30m", "1h 30m", "2 hours": whole numbers with units that
// get smaller. The error is a *Refusal.
func duration(text string) (time.Duration, error) {
	var total time.Duration
	last := -1 // index of the unit before
	rest := strings.ToLower(text)
	for strings.TrimSpace(rest) != "" {
		part := timePart.FindStringSubmatch(rest)
		unit := -1
		if part != nil {
			unit = unitOf(part[2])
		}
		if unit <= last {
			return 0, refusal("%q is no length of time. Type 15m, 2h, 1h30m or 1d.", cut(text, 40))
		}
		n, err := strconv.ParseInt(part[1], 10, 64)
		if err != nil || n > int64(maxRevert/units[unit].unit) {
			return 0, refusal("%q is too long a time: %s is the most.", cut(text, 40), brief(maxRevert))
		}
		total += time.Duration(n) * units[unit].unit
		rest, last = rest[len(part[0]):], unit
	}
	switch {
	case text == "":
		return 0, refusal("After for comes a length of time: 15m, 2h, 1h30m or 1d.")
	case total == 0:
		return 0, refusal("%q is no time at all. Leave it out for a change that stays.", cut(text, 40))
	case total > maxRevert:
		return 0, refusal("%q is too long a time: %s is the most.", cut(text, 40), brief(maxRevert))
	}
	return total, nil
}

// unitOf returns the index of a unit, or -1.
func unitOf(word string) int {
	for i, u := range units {
		for _, known := range u.words {
			if word == known {
				return i
			}
		}
	}
	return -1
}

// trailingTime returns the "for 15m" with which a reason ends.
func trailingTime(reason string) (string, bool) {
	found := timeTail.FindStringSubmatch(reason)
	if found == nil {
		return "", false
	}
	_, err := duration(strings.TrimSpace(found[1][len("for"):]))
	return found[1], err == nil
}

// brief writes a length of time as duration reads it, in whole seconds: "1h30m".
func brief(d time.Duration) string {
	if d < time.Second {
		return "0s"
	}
	var b strings.Builder
	for _, u := range units {
		if n := d / u.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.words[0])
			d -= n * u.unit
		}
	}
	return b.String()
}
