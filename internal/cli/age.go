package cli

import (
	"fmt"
	"time"
)

// span is a duration in words, with as much detail as a glance needs: "12 s",
// "3 min", "5 h", "3 days".
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// ago is how long before now t was: "3 min ago". The zero time is "".
func ago(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := now.Sub(t)
	if d < time.Second { // or ahead: clocks differ a little
		return "just now"
	}
	return span(d) + " ago"
}

// until is how long after now t will be: "in 12 min". The zero time is "".
func until(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := t.Sub(now)
	if d < time.Second {
		return "now"
	}
	if d < time.Minute {
		return "in " + span(d)
	}
	return "in " + span(d+30*time.Second) // to the nearest minute: a quarter of an hour reads as 15 min, not 14
}

// moment is t for people, in this machine's time zone.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
