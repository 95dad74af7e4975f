package api

import "time"

// Origin is a named group of servers that answer the same requests.
type Origin struct {
	Name        string           `json:"name" doc:"Its name."`
	Balance     string           `json:"balance" doc:"How a server is chosen, as in the configuration."`
	Paused      bool             `json:"paused" doc:"Its requests wait and none is sent to a server."`
	InFlight    int              `json:"in_flight" doc:"Requests under way."`
	MaxInFlight int              `json:"max_in_flight" doc:"Bound of in_flight. 0: none."`
	Queue       Queue            `json:"queue" doc:"Requests that wait for a server."`
	Servers     List[Server]     `json:"servers" doc:"In the order of the configuration, then those that leave."`
	Unresolved  List[Unresolved] `json:"unresolved" doc:"Host names whose last look-up did not succeed."`
}

// Queue is who waits at an origin.
type Queue struct {
	Depth     int     `json:"depth" doc:"Requests that wait."`
	Bytes     int64   `json:"bytes" doc:"Bytes of their bodies."`
	Oldest    float64 `json:"oldest_seconds" doc:"How long the first of them has waited."`
	PerSecond float64 `json:"per_second" doc:"How many get their turn in a second. 0: not known."`
}

// Unresolved is a host name whose last look-up did not succeed.
type Unresolved struct {
	Host  string `json:"host" doc:"The name."`
	Error string `json:"error" doc:"Why."`
	Kept  int    `json:"kept" doc:"Addresses from before that are still used."`
}

// OriginList is the answer of GET origins.
type OriginList struct {
	At      time.Time    `json:"at" doc:"Moment of everything in this answer."`
	Origins List[Origin] `json:"origins" doc:"All origins, in the order of their names."`
}
