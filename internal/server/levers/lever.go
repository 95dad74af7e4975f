package levers

import (
	"encoding/json"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// lever is a declaration with all that follows from it. args are the names that
// stand for the capitals of its pattern, as its kind of place has them in the
// configuration at hand.
type lever struct {
	setting.Lever
	place place
	read  func(c *config.Config, args []string) json.RawMessage
	write func(c *config.Config, args []string, value json.RawMessage)
	turn  func(t Target, args []string, value json.RawMessage, why string) error
}

// define makes a lever whose values are of type T in the configuration. fields are
// where they stand there: more than one where one name stands for several.
func define[T bool | int | string](
	declared setting.Lever, at place, fields func(c *config.Config, args []string) []*T,
	turn func(t Target, args []string, value T, why string) error,
) lever {
	return lever{
		Lever: declared,
		place: at,
		read: func(c *config.Config, args []string) json.RawMessage {
			value, _ := json.Marshal(*fields(c, args)[0]) // a bool, a number or a word always can be
			return value
		},
		write: func(c *config.Config, args []string, value json.RawMessage) {
			for _, field := range fields(c, args) {
				*field = decode[T](declared, value)
			}
		},
		turn: func(t Target, args []string, value json.RawMessage, why string) error {
			return turn(t, args, decode[T](declared, value), why)
		},
	}
}

// decode reads a value that the declaration found good.
func decode[T bool | int | string](l setting.Lever, value json.RawMessage) (v T) {
	switch to := any(&v).(type) {
	case *bool:
		*to = l.Bool(value)
	case *int:
		*to = l.Int(value)
	case *string:
		*to = l.Word(value)
	}
	return v
}

// find returns the lever called name, with args as they stand in the name; nil for
// a name of none.
func find(name string) (l *lever, args []string) {
	declared, args, ok := Registry().Find(name)
	if !ok {
		return nil, nil
	}
	for i := range all {
		if all[i].Pattern == declared.Pattern {
			return &all[i], args
		}
	}
	return nil, nil
}
