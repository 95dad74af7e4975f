package api

import (
	"encoding/json"
	"time"
)

// Lever is a setting that an operator turns while the system runs.
type Lever struct {
	Name  string   `json:"name" example:"origins.booking.max_in_flight" doc:"Its path in the configuration."`
	Type  string   `json:"type" enum:"boolean,integer,percent,word" doc:"What its values are. percent is an integer."`
	Unit  string   `json:"unit,omitempty" doc:"Unit of its values."`
	Min   *float64 `json:"min,omitempty" doc:"Smallest value."`
	Max   *float64 `json:"max,omitempty" doc:"Largest value."`
	Words []string `json:"words,omitempty" nullable:"false" doc:"All values, of a word."`
	Doc   string   `json:"doc" doc:"What it does."`

	Value json.RawMessage `json:"value" doc:"The value in effect."`
	File  json.RawMessage `json:"file" doc:"The value in the configuration file, its default included."`
	Set   bool            `json:"set" doc:"It was set by somebody. Else it has the file's value."`

	Version     int64     `json:"version" doc:"Number of its last change, resets included. 0: it was never changed. Name it when you change it."`
	Actor       string    `json:"actor,omitempty" doc:"Who changed it last."`
	Reason      string    `json:"reason,omitempty" doc:"Why."`
	Since       time.Time `json:"since,omitzero" doc:"When."`
	Reverts     time.Time `json:"reverts,omitzero" doc:"When it goes back to the value before."`
	Provisional bool      `json:"provisional,omitempty" doc:"The last change is on this node only, in its journal: the store is lost."`
}

// LeverVersion is one change of a lever.
type LeverVersion struct {
	Lever       string          `json:"lever" doc:"Name of the lever."`
	Number      int64           `json:"number" doc:"Number of the change, from 1 for each lever. 0: not known yet, because the change is in a journal."`
	Value       json.RawMessage `json:"value" doc:"The value that was set. null: reset to the file's."`
	Actor       string          `json:"actor" doc:"Who did it."`
	Reason      string          `json:"reason" doc:"Why."`
	Node        string          `json:"node,omitempty" doc:"The node where it was done."`
	At          time.Time       `json:"at" doc:"When it was done."`
	Recorded    time.Time       `json:"recorded,omitzero" doc:"When the store took it. Later than at if the store was lost."`
	Provisional bool            `json:"provisional,omitempty" doc:"It is in this node's journal and waits for the store."`
}

// LeverList is the answer of GET levers.
type LeverList struct {
	At     time.Time   `json:"at" doc:"Moment of everything in this answer."`
	Levers List[Lever] `json:"levers" doc:"All levers, in the order of their names."`
}

// History is the answer of GET levers/NAME/history.
type History struct {
	At       time.Time          `json:"at" doc:"Moment of everything in this answer."`
	Whole    bool               `json:"whole" doc:"false: the store is lost, and only what this node remembers is here."`
	Versions List[LeverVersion] `json:"versions" doc:"The changes, the last one first."`
	Next     int64              `json:"next,omitempty" doc:"Ask again with before= this number for older ones. Missing: there are none."`
}
