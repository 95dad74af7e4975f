package dialect

import "errors"

// The kinds of failure. An engine wraps what the driver said in a *Fault, so that
// errors.Is finds the kind and errors.As still finds the driver's own error.
var (
	ErrUnique         = errors.New("a row with this key is there already")
	ErrForeignKey     = errors.New("the row that this one belongs to is not there")
	ErrCheck          = errors.New("the database's rules do not allow this value")
	ErrBusy           = errors.New("the store is locked")
	ErrFull           = errors.New("the store's disk is full")
	ErrCorrupt        = errors.New("the store's file is damaged")
	ErrUnavailable    = errors.New("the store does not answer")
	ErrReadOnly       = errors.New("the store takes no more writes")
	ErrNewerSchema    = errors.New("the store was made by a newer Evergate")
	ErrSecondHost     = errors.New("another host uses this store's file")
	ErrNetworkFS      = errors.New("the store's file is on a network file system")
	ErrOldTimeline    = errors.New("this PostgreSQL is a former primary")
	ErrOutcomeUnknown = errors.New("whether the change was stored is not known")
	ErrClosed         = errors.New("the store is closed")
)

// Fault is a failure of the store: what was being done, of which kind it is and
// what a person can do about it.
type Fault struct {
	Kind   error  // one of the sentinels of this package
	Doing  string // "commit to /var/lib/evergate/core.db"; no password in it
	Advice string // whole sentences for a person; "" when there is nothing to do
	Err    error  // what the driver or the system said; may be nil
}

func (f *Fault) Error() string {
	text := f.Kind.Error()
	if f.Doing != "" {
		text = f.Doing + ": " + text
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap makes both the kind and the cause findable.
func (f *Fault) Unwrap() []error {
	if f.Err == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Err}
}
