package setting

import (
	"encoding/json"
	"time"
)

// Version is one version of a setting. It is never changed once recorded.
type Version struct {
	Key         string          `json:"key"`
	Number      int64           `json:"version"` // 1 for the first of its key, and then one more each time
	Rev         int64           `json:"rev"`     // over all keys, in the order of commit; 0 while Provisional
	ID          string          `json:"id"`      // of the change: the same in the journal and in the store
	Value       json.RawMessage `json:"value"`   // nil: reset, there is no value any more
	Actor       string          `json:"actor"`
	Reason      string          `json:"reason"`
	Node        string          `json:"node"`        // where the change was made
	At          time.Time       `json:"at"`          // when it was made, in milliseconds
	RecordedAt  time.Time       `json:"recorded_at"` // when the store took it; zero while Provisional
	Provisional bool            `json:"provisional,omitempty"`
}

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

// Stored says where a change was kept when it was acknowledged.
type Stored string

// The places.
const (
	InStore   Stored = "store"
	InJournal Stored = "journal" // this node's, fsynced
)

// Result is what became of a change.
type Result struct {
	Version Version // now in force; for a later time: the one that is in force until then
	Stored  Stored
	Due     *Due // the change at a later time, or the revert; nil: there is none
}
