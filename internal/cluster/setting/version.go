package setting

import (
	"encoding/json"
	"time"
)

// Automatic is the actor of what no human did: reverts that fell due. No change may
// be made in its name.
const Automatic = "(evergate)"

// Version is one version of a setting. It is never changed once recorded.
type Version struct {
	Key         string          `json:"key"`
	Number      int64           `json:"version"`         // 1 for the first of its key, and then one more each time
	Rev         int64           `json:"rev"`             // over all keys, in the order of commit; 0 while Provisional
	ID          string          `json:"id"`              // of the change: the same in the journal and in the store
	Value       json.RawMessage `json:"value,omitempty"` // nil: reset, there is no value any more; "null" would come back as a value
	Actor       string          `json:"actor"`
	Reason      string          `json:"reason"`
	Node        string          `json:"node"`        // where the change was made
	At          time.Time       `json:"at"`          // when it was made, in milliseconds
	RecordedAt  time.Time       `json:"recorded_at"` // when the store took it; zero while Provisional
	Provisional bool            `json:"provisional,omitempty"`
}

// differs reports whether somebody who knows v should be told of other.
func (v Version) differs(other Version) bool {
	return v.ID != other.ID || v.Number != other.Number || v.Provisional != other.Provisional
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
