package setting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds of a change.
const (
	maxValue    = 64 << 10 // bytes
	maxReason   = 500      // runes
	maxActor    = 200      // runes
	maxKey      = 512      // bytes
	maxKeys     = 10000    // that a node knows, those that were reset included
	leastRevert = time.Second
	maxWait     = 366 * 24 * time.Hour
)

// Change is a wish to change a setting.
type Change struct {
	Key         string
	Value       json.RawMessage // nil: reset
	Based       int64           // number of the version that it is based on; 0: there is none
	Actor       string
	Reason      string        // why; one line of 1 to 500 characters
	RevertAfter time.Duration // 0: it stays
	At          time.Time     // zero: now; else it is made at that time
}

// check says what is wrong with c apart from its base and the meaning of its value,
// and brings the value into the one form in which it is kept.
func (c *Change) check(now time.Time) error {
	if c.Key == "" || len(c.Key) > maxKey || !utf8.ValidString(c.Key) || strings.ContainsFunc(c.Key, unicode.IsControl) {
		return &UnknownKeyError{Key: c.Key}
	}
	if err := checkWho(c.Actor, c.Reason); err != nil {
		return err
	}
	if err := c.tidy(); err != nil {
		return err
	}
	switch {
	case c.RevertAfter != 0 && (c.RevertAfter < leastRevert || c.RevertAfter > maxWait):
		return &InvalidError{Field: "revert_after", Message: "want a time from 1s to a year"}
	case !c.At.IsZero() && !c.At.After(now):
		return &InvalidError{Field: "at", Message: fmt.Sprintf("%s is over; leave it out to make the change now", c.At.Format(time.RFC3339))}
	case !c.At.IsZero() && c.At.Sub(now) > maxWait:
		return &InvalidError{Field: "at", Message: "want a time within a year"}
	case !c.At.IsZero() && c.RevertAfter != 0:
		return &InvalidError{Field: "revert_after", Message: "a change at a later time cannot revert by itself; make it when the time has come"}
	}
	return nil
}

// tidy compacts the value, so that it is the same bytes in the store, the journal
// and the last-good file.
func (c *Change) tidy() error {
	if c.Value == nil {
		return nil
	}
	if len(c.Value) > maxValue {
		return &InvalidError{Field: "value", Message: fmt.Sprintf("it has %d bytes, and at most %d are kept", len(c.Value), maxValue)}
	}
	var compact bytes.Buffer
	if !utf8.Valid(c.Value) || json.Compact(&compact, c.Value) != nil {
		return &InvalidError{Field: "value", Message: "it is no JSON"}
	}
	if compact.String() == "null" {
		return &InvalidError{Field: "value", Message: "null is no value; to go back to what the file says, reset it"}
	}
	c.Value = compact.Bytes()
	return nil
}

// checkWho says what is wrong with the actor of something, or its reason.
func checkWho(actor, reason string) error {
	if !line(reason, maxReason) {
		return ErrNoReason
	}
	if !line(actor, maxActor) || actor == Automatic {
		return &InvalidError{Field: "actor", Message: "a change needs somebody who made it"}
	}
	return nil
}

// line reports whether text is one line of 1 to most characters that a person can
// see.
func line(text string, most int) bool {
	return strings.TrimSpace(text) != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= most &&
		!strings.ContainsFunc(text, func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
		})
}

// outcome is what c makes of before: the version in force after it, and a due change
// or nil. Only a version with the id of the change is new.
func (c Change) outcome(before Version, id, node string, now time.Time) (Version, *Due) {
	now = millis(now)
	if !c.At.IsZero() {
		return before, &Due{
			ID: id, Key: c.Key, Kind: Later, Based: before.Number, At: millis(c.At), Value: c.Value,
			Actor: c.Actor, Reason: c.Reason, Created: now, State: Pending,
		}
	}
	v := Version{Key: c.Key, Number: before.Number + 1, ID: id, Value: c.Value, Actor: c.Actor, Reason: c.Reason, Node: node, At: now}
	if c.RevertAfter == 0 {
		return v, nil
	}
	return v, &Due{
		ID: id + "-revert", Key: c.Key, Kind: Revert, Based: v.Number, At: millis(now.Add(c.RevertAfter)), Value: before.Value,
		Actor: c.Actor, Reason: c.Reason, Created: now, State: Pending,
	}
}

// millis is t as the store keeps times.
func millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
