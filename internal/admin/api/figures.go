package api

import "time"

// Figures is what passes through the door.
type Figures struct {
	At          time.Time           `json:"at" doc:"Moment of the figures."`
	Window      float64             `json:"window_seconds" doc:"Time before at over which the rates are taken."`
	Requests    float64             `json:"requests_per_second" doc:"Requests answered."`
	Errors      float64             `json:"errors_per_second" doc:"Of those, answers with a status of 500 or more."`
	Retries     float64             `json:"retries_per_second" doc:"Attempts after the first of a request."`
	InFlight    int                 `json:"in_flight" doc:"Requests under way."`
	Queued      int                 `json:"queued" doc:"Requests that wait for a server."`
	Connections int                 `json:"connections" doc:"Connections of visitors that are open."`
	Origins     List[OriginFigures] `json:"origins" doc:"Each origin, in the order of their names."`
}

// OriginFigures is what one origin does.
type OriginFigures struct {
	Name     string  `json:"name" doc:"Name of the origin."`
	Requests float64 `json:"requests_per_second" doc:"Requests answered for it."`
	Errors   float64 `json:"errors_per_second" doc:"Of those, answers with a status of 500 or more."`
	InFlight int     `json:"in_flight" doc:"Requests under way."`
	Queued   int     `json:"queued" doc:"Requests that wait for a server."`
	Servers  int     `json:"servers" doc:"Servers that it has."`
	Usable   int     `json:"usable" doc:"Servers that get requests now."`
}
