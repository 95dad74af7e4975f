package api

// How says what to do with a store that came back empty, older or as another one.
type How string

// The ways.
const (
	Refill How = "refill" // write into it what this node knows
	Accept How = "accept" // take it as it is, and forget what this node knows
)

// Confirmation is what POST store/confirm wants.
type Confirmation struct {
	How    How    `json:"how" enum:"refill,accept" doc:"refill: write the settings that this node knows into the store. accept: take the store as it is; what it does not have is lost."`
	Reason string `json:"reason" minLength:"1" maxLength:"500" doc:"Why. It is written into the history."`
}
