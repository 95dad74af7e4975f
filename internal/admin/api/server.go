package api

import "time"

// Server is one address of an origin.
type Server struct {
	Address     string    `json:"address" example:"10.0.0.11:8080" doc:"Where requests go."`
	Configured  string    `json:"configured" example:"app.internal:8080" doc:"As the configuration has it, without the scheme. This is the name in levers and in paths; a host name may stand for several addresses."`
	State       string    `json:"state" enum:"up,drain,maint" doc:"What operators want: requests, no new ones, or neither requests nor checks."`
	Health      string    `json:"health" enum:"unknown,ramping,up,ejected,trial,suspect,draining,maint" doc:"What it is doing."`
	Reason      string    `json:"reason,omitempty" doc:"Why its health is so."`
	Since       time.Time `json:"since" doc:"Since when its health is so."`
	Backup      bool      `json:"backup" doc:"It gets requests only when no other server can take them."`
	Weight      int       `json:"weight" doc:"Its part of the requests, beside the weights of the others."`
	Share       float64   `json:"share" doc:"Part of its weight that counts now, 0 to 1: less than 1 while it comes back slowly."`
	InFlight    int       `json:"in_flight" doc:"Requests under way."`
	MaxInFlight int       `json:"max_in_flight" doc:"Bound of in_flight now. 0: none."`
	Ejections   int       `json:"ejections" doc:"How often it was taken out for failing, since the process started."`
	Failures    int       `json:"failures" doc:"Attempts that failed in a row."`
	LastError   string    `json:"last_error,omitempty" doc:"What went wrong last."`
	LastErrorAt time.Time `json:"last_error_at,omitzero" doc:"When that was."`
	Leaving     bool      `json:"leaving" doc:"No longer configured; it finishes what it has."`
}

// ServerDetail is the answer of GET origins/NAME/servers/ADDR: a configured server
// with every address that its name stands for, and its levers.
type ServerDetail struct {
	At         time.Time    `json:"at" doc:"Moment of everything in this answer."`
	Origin     string       `json:"origin" doc:"Name of the origin."`
	Configured string       `json:"configured" doc:"As the configuration has it, without the scheme."`
	Servers    List[Server] `json:"servers" doc:"Every address that it stands for."`
	Levers     List[Lever]  `json:"levers" doc:"Its levers."`
}
