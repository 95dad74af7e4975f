package chat

import (
	"context"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

// Operator does what commands ask for. Calls come from several goroutines. A
// context ends 30 s after the command came, and not when the chat program loses its
// patience: a change is made whole or not at all. Errors other than a *Refusal or a
// *Conflict are logged and not shown.
type Operator interface {
	// Status says how the node is.
	Status(ctx context.Context) (Status, error)

	// Origins returns the origins with their servers, in the order of the configuration.
	Origins(ctx context.Context) ([]Origin, error)

	// Levers returns all levers, by name.
	Levers(ctx context.Context) ([]Lever, error)

	// Lever returns one lever. For a name that is none, the error is a *Refusal that
	// says so, with a name that may have been meant.
	Lever(ctx context.Context, name string) (Lever, error)

	// Change turns a lever, or gives it back to the file. It returns when the process
	// acts on it and it is kept. The error is a *Conflict when somebody was faster,
	// and a *Refusal when the value, the reason or the time does not do.
	Change(ctx context.Context, c Change) (Changed, error)
}

// Change is what a command wants of a lever.
type Change struct {
	Lever       string
	Value       string        // as typed; ignored by a reset
	Reset       bool          // back to the file's value
	Based       int64         // the version that the lever had when the command was read
	RevertAfter time.Duration // 0: it stays
	Reason      string        // never empty, one line, 500 runes at most
	Actor       string
	Role        token.Role // operator or admin
	Program     Program    // where it was typed
}

// Changed is what became of a change.
type Changed struct {
	Lever     Lever     // as it is now
	Journaled bool      // the store could not be reached: kept on this node's disk until it can
	Reverts   time.Time // zero: it stays
}

// Lever is one lever as people read it.
type Lever struct {
	Name    string
	Value   string // now, with its unit
	File    string // the file's value, with its unit
	Version int64  // of its last change, resets included; 0: it was never changed
	Set     bool   // it overrides the file; else the next four are empty
	Actor   string
	Reason  string
	Since   time.Time
	Reverts time.Time // zero: it stays
	Doc     string    // one sentence
}

// Status is how a node is, for people.
type Status struct {
	Node       string
	Version    string
	Phase      string // "serving", "draining", ...
	Uptime     time.Duration
	Store      string      // one sentence
	Conditions []Condition // what is not well; empty: all is
	Overrides  []Lever     // levers that are set
	At         time.Time   // of all this
}

// Condition is one thing that is not well.
type Condition struct {
	Name     string
	Severity string // "warning" or "error"
	Summary  string // one sentence, with what to do
	Since    time.Time
}

// Origin is an origin as people read it.
type Origin struct {
	Name     string
	Paused   bool
	InFlight int
	Servers  []Server
}

// Server is one server of an origin.
type Server struct {
	Address  string // as the levers name it
	State    string // "up", "drain" or "maint"
	Health   string // one or two words: "healthy", "failing checks", ...
	InFlight int
	Weight   int
}

// Refusal is an error whose text is for the person who typed the command: what was
// wrong, and what to type instead. It has no secrets.
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }

// Conflict says that somebody else turned the lever in between.
type Conflict struct{ Now Lever }

func (c *Conflict) Error() string {
	return "lever " + c.Now.Name + " was changed by " + c.Now.Actor + " in between"
}
