package api

import (
	"fmt"
	"strings"
)

// What there may be none of.
const (
	whatLever  = "lever"
	whatOrigin = "origin"
	whatServer = "server"
	whatDue    = "due change"
)

// UnknownError says that there is no such thing. It is answered with 404 and,
// for levers, with the names that may have been meant.
type UnknownError struct {
	What string // "lever", "origin", ...
	Name string

	among []string // names that there are, where the API cannot ask for them again
}

func (e *UnknownError) Error() string { return fmt.Sprintf("there is no %s %q", e.What, e.Name) }

// ConflictError says that somebody was faster. It is answered with 409.
type ConflictError struct {
	Message string // "": made from Current
	Current *Lever // the lever as it is now; nil where it is not about a lever
}

func (e *ConflictError) Error() string {
	if e.Message != "" || e.Current == nil {
		return e.Message
	}
	c := e.Current
	if c.Version == 0 {
		return fmt.Sprintf("%s was never changed: its version is 0", c.Name)
	}
	return fmt.Sprintf("%s was changed by %s in between (version %d, %s): %s", c.Name, c.Actor, c.Version, c.Value, c.Reason)
}

// InvalidError says what is wrong with a value. It is answered with 422.
type InvalidError struct {
	Field   string // "value", "reason", "revert_after", "at", ...; "": none in particular
	Message string // a sentence with what is wanted
	// Min, Max and Words are the bounds, where the value is a lever's.
	Min, Max *float64
	Words    []string
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return strings.TrimSuffix(e.Field, ":") + ": " + e.Message
}

// BusyError says that a change could be kept neither in the store nor in the
// journal, or not now. It is answered with 503.
type BusyError struct {
	Message string // a sentence: what was in the way, and what to do
	Err     error  // for the log; may be nil
}

func (e *BusyError) Error() string { return e.Message }

func (e *BusyError) Unwrap() error { return e.Err }
