package setting

import (
	"errors"
	"fmt"
)

// Errors of a change.
var (
	// ErrNoReason says that a change has no reason, or none that can be kept.
	ErrNoReason = errors.New("a change needs a reason: one line of 1 to 500 characters")
	// ErrNotKept says that neither the store nor the journal could take a change;
	// nothing was changed.
	ErrNotKept = errors.New("the change could not be kept, so it was not made")
	// ErrUnsure says that the store did not say in time whether it took a change, and
	// that the journal could not take it. It may have been made.
	ErrUnsure = errors.New("whether the change was made is not known; look at the setting's history before trying again")
	// ErrUnknownDue says that no change with this id waits or waited lately.
	ErrUnknownDue = errors.New("no change with this id waits")
	// ErrSettled says that a change does not wait any more.
	ErrSettled = errors.New("it does not wait any more")
	// ErrNothingToConfirm says that the store is not one that waits for a word.
	ErrNothingToConfirm = errors.New("the store waits for no confirmation")
	// ErrTooManyDue says that too many changes wait for their time.
	ErrTooManyDue = errors.New("too many changes wait for their time; cancel some")
)

// errTooManyKeys says that a node knows as many settings as it can.
var errTooManyKeys = &InvalidError{Field: "key", Message: fmt.Sprintf("there are %d settings already, those that were reset included, and no more are kept", maxKeys)}

// ConflictError says that a change was based on a version that is not the current
// one.
type ConflictError struct {
	Current Version // Number 0: the key was never set
}

func (e *ConflictError) Error() string {
	c := e.Current
	if c.Number == 0 {
		return "the setting was never changed, so its version is 0"
	}
	return fmt.Sprintf("%s has version %d by now, by %s: %s", c.Key, c.Number, c.Actor, c.Reason)
}

// UnknownKeyError says that there is no such setting.
type UnknownKeyError struct{ Key string }

func (e *UnknownKeyError) Error() string { return fmt.Sprintf("there is no setting %q", e.Key) }

// ValueError says what is wrong with a value.
type ValueError struct {
	Lever   Lever  // the zero value for settings that are no levers
	Message string // a sentence with what is wanted
}

func (e *ValueError) Error() string { return e.Message }

// InvalidError says what is wrong with a change, apart from its value.
type InvalidError struct {
	Field   string // "key", "actor", "reason", "revert_after", "at", "value", "how"
	Message string
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }
