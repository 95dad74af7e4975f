package api

import "time"

// Status is how a node is, at one moment.
type Status struct {
	At         time.Time       `json:"at" doc:"Moment of everything in this answer."`
	Node       string          `json:"node" doc:"Name of the node."`
	Version    string          `json:"version" doc:"Version of Evergate."`
	Commit     string          `json:"commit,omitempty" doc:"Commit that it was built from."`
	Go         string          `json:"go" doc:"Version of Go that it was built with."`
	PID        int             `json:"pid" doc:"Number of the process."`
	Started    time.Time       `json:"started" doc:"When the process started."`
	Uptime     float64         `json:"uptime_seconds" doc:"How long the process has run."`
	Phase      Phase           `json:"phase" enum:"starting,serving,draining" doc:"Where the process is in its life."`
	Config     string          `json:"config" doc:"Path of the configuration file."`
	Loaded     time.Time       `json:"loaded" doc:"When the configuration in use was loaded."`
	Store      Store           `json:"store" doc:"How the store is."`
	Settings   Settings        `json:"settings" doc:"How the settings are kept."`
	Conditions List[Condition] `json:"conditions" doc:"Everything that is watched, by name, the worst first."`
	Overrides  List[Lever]     `json:"overrides" doc:"Levers that are set, with the value of the file that they override."`
	Figures    Figures         `json:"figures" doc:"What passes through the door."`
}

// Phase is where a process is in its life.
type Phase string

// The phases.
const (
	Starting Phase = "starting"
	Serving  Phase = "serving"
	Draining Phase = "draining" // on its way out
)

// Store is how the store is.
type Store struct {
	Kind    string    `json:"kind" enum:"sqlite,postgres" doc:"What keeps the settings."`
	Local   bool      `json:"local" doc:"The database is this machine's own."`
	Lost    bool      `json:"lost" doc:"It takes no changes now. They go to this node's journal until it does."`
	Error   string    `json:"error,omitempty" doc:"Why it is lost."`
	Advice  string    `json:"advice,omitempty" doc:"What to do about it."`
	Since   time.Time `json:"since" doc:"Since when it is so."`
	Confirm string    `json:"confirm,omitempty" doc:"Set when the store came back empty, older, or as another one, and waits for an operator's word (POST store/confirm): what is odd about it."`
}

// Settings is how the settings are kept.
type Settings struct {
	Rev           int64  `json:"rev" doc:"Number of the last change that this node acts on."`
	Journal       int    `json:"journal" doc:"Changes that wait in this node's journal for the store."`
	LastGoodError string `json:"last_good_error,omitempty" doc:"Why the copy on this node's disk is not up to date."`
	Due           int    `json:"due" doc:"Changes that wait for their time."`
	Overdue       int    `json:"overdue" doc:"Those of them whose time is over."`
	Skipped       int    `json:"skipped" doc:"Changes that were not made at their time, because somebody had changed the lever since."`
}
