package store

import (
	"errors"

	"github.com/evergate/evergate/internal/cluster/store/dialect"
)

// One sentinel per decision that a caller makes; see each where it is declared.
var (
	ErrUnique         = dialect.ErrUnique         // a unique key is taken: somebody else was first
	ErrForeignKey     = dialect.ErrForeignKey     // a row refers to one that is not there
	ErrCheck          = dialect.ErrCheck          // a CHECK or NOT NULL of the schema refused a value
	ErrBusy           = dialect.ErrBusy           // locked by somebody else for longer than the deadline
	ErrFull           = dialect.ErrFull           // no room on the disk
	ErrCorrupt        = dialect.ErrCorrupt        // the file is no sound database
	ErrUnavailable    = dialect.ErrUnavailable    // refused, hung, gone, or answering only errors
	ErrReadOnly       = dialect.ErrReadOnly       // an fsync failed; nothing is written until Evergate starts anew (W1)
	ErrNewerSchema    = dialect.ErrNewerSchema    // the schema is newer than this binary
	ErrSecondHost     = dialect.ErrSecondHost     // core.db is in use by another machine
	ErrNetworkFS      = dialect.ErrNetworkFS      // core.db is on NFS, SMB or the like
	ErrOldTimeline    = dialect.ErrOldTimeline    // a former primary came back
	ErrOutcomeUnknown = dialect.ErrOutcomeUnknown // the deadline passed, or the line broke, during the commit: it may have happened
	ErrClosed         = dialect.ErrClosed         // Close was called
)

// lost are the kinds for which the store could not take it now.
var lost = []error{ErrBusy, ErrFull, ErrCorrupt, ErrUnavailable, ErrReadOnly, ErrNewerSchema, ErrSecondHost, ErrOldTimeline, ErrOutcomeUnknown, ErrClosed}

// Lost reports whether err says that the store could not take a change now,
// through no fault of the change: put it in the journal instead. A change whose
// outcome is unknown counts too, so a journal entry needs an id of its own by
// which its replay finds out what had happened.
func Lost(err error) bool {
	for _, kind := range lost {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// kindOf returns the sentinel that err is of, or nil.
func kindOf(err error) error {
	var fault *dialect.Fault
	if errors.As(err, &fault) {
		return fault.Kind
	}
	return nil
}

// Advice returns what a person can do about err, in whole sentences, or "".
func Advice(err error) string {
	var fault *dialect.Fault
	if errors.As(err, &fault) {
		return fault.Advice
	}
	return ""
}
