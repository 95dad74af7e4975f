package api

import (
	"encoding/json"
	"time"
)

// Change is what somebody wants of a lever.
type Change struct {
	Lever       string
	Value       json.RawMessage // nil: reset to the file's value
	Based       int64           // version of the lever that it is based on
	Actor       string          // who
	Reason      string          // why; 1 to 500 characters, one line
	RevertAfter time.Duration   // 0: it stays
	At          time.Time       // zero: now; else it is made at that time
}

// Changed is what became of a change.
type Changed struct {
	Lever  Lever  `json:"lever" doc:"The lever as it is now."`
	Stored Stored `json:"stored" enum:"store,journal" doc:"Where the change is kept: in the store, or in this node's journal until the store takes it."`
	Note   string `json:"note,omitempty" doc:"What the operator should know: that the store is lost, for example."`
	Due    *Due   `json:"due,omitempty" doc:"The change that waits for its time: the one asked for, or the revert."`
}

// Stored is where a change is kept.
type Stored string

// The places.
const (
	InStore   Stored = "store"
	InJournal Stored = "journal" // on this node's disk, fsynced
)
