package api

import "time"

// EventKind is the name of a kind of server-sent event. The type of its data
// stands beside it.
type EventKind string

// The kinds. A client passes over those that it does not know.
const (
	EventState     EventKind = "state"     // FullState: the first event of every stream
	EventLever     EventKind = "lever"     // Lever: it was changed
	EventServer    EventKind = "server"    // ServerEvent: its health or state changed
	EventCondition EventKind = "condition" // Condition: its severity changed
	EventReload    EventKind = "reload"    // Reload: one was tried
	EventFigures   EventKind = "figures"   // Figures: every two seconds
	EventEnd       EventKind = "end"       // End: the last event of a stream that Evergate ends
)

// Event is something that happened. Data is of the type that belongs to Kind.
type Event struct {
	Kind EventKind
	Data any
}

// FullState is everything that the later events change.
type FullState struct {
	Status  Status       `json:"status" doc:"How the node is."`
	Origins List[Origin] `json:"origins" doc:"All origins."`
	Levers  List[Lever]  `json:"levers" doc:"All levers."`
}

// ServerEvent is a server whose health or state changed.
type ServerEvent struct {
	At     time.Time `json:"at" doc:"When."`
	Origin string    `json:"origin" doc:"Name of its origin."`
	Server Server    `json:"server" doc:"The server as it is now."`
}

// End says why a stream ends.
type End struct {
	Reason string `json:"reason" doc:"One sentence."`
	Again  bool   `json:"again" doc:"Come back: the new stream begins with the full state."`
}
