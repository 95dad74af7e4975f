package api

import (
	"encoding/json"
	"time"
)

// Due is a change that waits for its time, or waited.
type Due struct {
	ID      string          `json:"id" doc:"Its id."`
	Lever   string          `json:"lever" doc:"Name of the lever."`
	Kind    string          `json:"kind" enum:"revert,change" doc:"revert: back to the value before. change: one asked for a later time."`
	At      time.Time       `json:"at" doc:"When it is made."`
	Value   json.RawMessage `json:"value" doc:"The value that the lever gets. null: the file's."`
	Based   int64           `json:"based" doc:"Version of the lever that it is based on. If the lever has another by then, it is skipped."`
	Actor   string          `json:"actor" doc:"Who asked for it."`
	Reason  string          `json:"reason" doc:"Why."`
	Created time.Time       `json:"created" doc:"When it was asked for."`
	State   string          `json:"state" enum:"pending,done,skipped,cancelled" doc:"What became of it."`
	Settled time.Time       `json:"settled,omitzero" doc:"When it was done, skipped or cancelled."`
	Note    string          `json:"note,omitempty" doc:"Why it was skipped, or who cancelled it."`
}

// DueList is the answer of GET due.
type DueList struct {
	At  time.Time `json:"at" doc:"Moment of everything in this answer."`
	Due List[Due] `json:"due" doc:"Those that wait, the next one first; then those that were skipped lately."`
}
