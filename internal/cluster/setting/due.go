package setting

import (
	"encoding/json"
	"fmt"
	"time"
)

// DueKind is what a due change is.
type DueKind string

// The kinds.
const (
	Revert DueKind = "revert" // back to the version before, unless somebody changed it since
	Later  DueKind = "change" // one that was asked for a later time
)

// DueState is what became of a due change.
type DueState string

// The states. A due change leaves Pending once and for good.
const (
	Pending   DueState = "pending"
	Done      DueState = "done"
	Skipped   DueState = "skipped"
	Cancelled DueState = "cancelled"
)

// Due is a change that waits for its time, or has waited.
type Due struct {
	ID      string          `json:"id"` // also of the change that it makes
	Key     string          `json:"key"`
	Kind    DueKind         `json:"kind"`
	Based   int64           `json:"base_version"` // of the key; with another by then it is skipped
	At      time.Time       `json:"due_at"`
	Value   json.RawMessage `json:"value,omitempty"` // nil: reset
	Actor   string          `json:"actor"`           // who asked for it
	Reason  string          `json:"reason"`
	Created time.Time       `json:"created_at"`
	State   DueState        `json:"state"`
	Settled time.Time       `json:"settled_at"` // zero while Pending
	Note    string          `json:"note"`       // why it was skipped, or who cancelled it
}

// version is what d makes of the version before it. What somebody asked for at a
// later time is theirs; a revert is nobody's.
func (d Due) version(before Version, node string, now time.Time) Version {
	v := Version{
		Key: d.Key, Number: before.Number + 1, ID: d.ID, Value: d.Value, Actor: d.Actor, Reason: d.Reason, Node: node, At: millis(now),
	}
	if d.Kind == Revert {
		v.Actor = Automatic
		v.Reason = shorten(fmt.Sprintf("back to the value before version %d, which %s had set for a time: %s", d.Based, d.Actor, d.Reason))
	}
	return v
}

// settled is d after it has left Pending.
func (d Due) settled(state DueState, now time.Time, note string) Due {
	d.State, d.Settled, d.Note = state, millis(now), note
	return d
}

// same reports whether two states of one due change say the same.
func (d Due) same(other Due) bool {
	return d.ID == other.ID && d.State == other.State && d.Based == other.Based
}

// skippedFor says why a due change was skipped.
func skippedFor(current Version) string {
	if current.Number == 0 {
		return "the setting has no version any more"
	}
	return shorten(fmt.Sprintf("%s has changed it since (version %d): %s", current.Actor, current.Number, current.Reason))
}

// shorten bounds a text that was made of others.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason-3]) + "..."
	}
	return text
}
