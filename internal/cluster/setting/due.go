package setting

import (
	"encoding/json"
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
	Value   json.RawMessage `json:"value"` // nil: reset
	Actor   string          `json:"actor"`
	Reason  string          `json:"reason"`
	Created time.Time       `json:"created_at"`
	State   DueState        `json:"state"`
	Settled time.Time       `json:"settled_at"` // zero while Pending
	Note    string          `json:"note"`       // why it was skipped, or who cancelled it
}
