package api

import "time"

// Severity is how bad a condition is.
type Severity string

// The severities.
const (
	OK      Severity = "ok"
	Warning Severity = "warning" // visitors notice nothing yet
	Failing Severity = "error"   // visitors notice, or a promise is not kept
)

// Condition is one thing that is watched.
type Condition struct {
	Name     string    `json:"name" example:"store" doc:"What is watched. The name never changes."`
	Severity Severity  `json:"severity" enum:"ok,warning,error" doc:"How bad it is."`
	Since    time.Time `json:"since,omitzero" doc:"Since when it is so."`
	Summary  string    `json:"summary" doc:"One sentence."`
	Detail   string    `json:"detail,omitempty" doc:"What is behind it, and what to do."`
}
