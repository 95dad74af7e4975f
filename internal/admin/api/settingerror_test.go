package api

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/evergate/evergate/internal/cluster/setting"
)

func TestSettingError(t *testing.T) {
	now := Lever{Name: "log.level", Version: 4}
	low, high := 1.0, 9.0
	other := errors.New("something else")
	tests := []struct {
		err, want error
	}{
		{&setting.ConflictError{Current: setting.Version{Key: "log.level", Number: 4}}, &ConflictError{Current: &now}},
		{&setting.ConflictError{}, &ConflictError{Current: &Lever{}}},
		{&setting.UnknownKeyError{Key: "x"}, &UnknownError{What: "lever", Name: "x"}},
		{&setting.ValueError{Lever: setting.Lever{Kind: setting.Integer, Min: 1, Max: 9}, Message: "m"}, &InvalidError{Field: "value", Message: "m", Min: &low, Max: &high}},
		{&setting.ValueError{Lever: setting.Lever{Kind: setting.Word, Words: []string{"a"}}, Message: "m"}, &InvalidError{Field: "value", Message: "m", Words: []string{"a"}}},
		{&setting.InvalidError{Field: "at", Message: "m"}, &InvalidError{Field: "at", Message: "m"}},
		{setting.ErrNoReason, &InvalidError{Field: "reason", Message: setting.ErrNoReason.Error()}},
		{setting.ErrUnknownDue, &UnknownError{What: "due change", Name: "log.level"}},
		{setting.ErrSettled, &ConflictError{Message: "put: " + setting.ErrSettled.Error()}},
		{setting.ErrNothingToConfirm, &ConflictError{Message: "put: " + setting.ErrNothingToConfirm.Error()}},
		{setting.ErrTooManyDue, &ConflictError{Message: "put: " + setting.ErrTooManyDue.Error()}},
	}
	for _, tt := range tests {
		got := SettingError(fmt.Errorf("put: %w", tt.err), "log.level", func(v setting.Version) Lever { return Lever{Name: v.Key, Version: v.Number} })
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v became %#v, want %#v", tt.err, got, tt.want)
		}
	}
	if got := SettingError(other, "x", nil); got != other {
		t.Errorf("another error became %v", got)
	}
	var conflict *ConflictError
	if got := SettingError(&setting.ConflictError{}, "", nil); !errors.As(got, &conflict) || conflict.Current != nil || conflict.Message == "" {
		t.Errorf("a conflict about no lever became %#v", got)
	}
	var busy *BusyError
	if got := SettingError(setting.ErrNotKept, "x", nil); !errors.As(got, &busy) || !errors.Is(got, setting.ErrNotKept) {
		t.Errorf("got %v", got)
	}
}
