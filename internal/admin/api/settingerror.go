package api

import (
	"errors"

	"github.com/evergate/evergate/internal/cluster/setting"
)

// SettingError puts an error of the settings into the words of this package, for
// whoever hands levers over on top of them. name is the lever's, and lever makes it
// of the version that stood in the way: after a conflict with another node, this one
// may not act on that yet. nil: what is done is about no lever. Other errors come back
// as they are.
func SettingError(err error, name string, lever func(current setting.Version) Lever) error {
	var (
		conflict *setting.ConflictError
		unknown  *setting.UnknownKeyError
		value    *setting.ValueError
		invalid  *setting.InvalidError
	)
	switch {
	case errors.As(err, &conflict):
		if lever == nil {
			return &ConflictError{Message: conflict.Error()}
		}
		now := lever(conflict.Current)
		return &ConflictError{Current: &now}
	case errors.As(err, &unknown):
		return &UnknownError{What: whatLever, Name: unknown.Key}
	case errors.As(err, &value):
		out := &InvalidError{Field: "value", Message: value.Message, Words: value.Lever.Words}
		if k := value.Lever.Kind; k == setting.Integer || k == setting.Percent {
			low, high := float64(value.Lever.Min), float64(value.Lever.Max)
			out.Min, out.Max = &low, &high
		}
		return out
	case errors.As(err, &invalid):
		return &InvalidError{Field: invalid.Field, Message: invalid.Message}
	case errors.Is(err, setting.ErrNoReason):
		return &InvalidError{Field: "reason", Message: setting.ErrNoReason.Error()}
	case errors.Is(err, setting.ErrNotKept):
		return &BusyError{Message: setting.ErrNotKept.Error() + "; see the store in the status, and the disk under data_dir", Err: err}
	case errors.Is(err, setting.ErrUnsure):
		return &BusyError{Message: setting.ErrUnsure.Error() + "; see the store in the status, and the disk under data_dir", Err: err}
	case errors.Is(err, setting.ErrUnknownDue):
		return &UnknownError{What: whatDue, Name: name}
	case errors.Is(err, setting.ErrSettled), errors.Is(err, setting.ErrNothingToConfirm), errors.Is(err, setting.ErrTooManyDue):
		return &ConflictError{Message: err.Error()}
	}
	return err
}
