package levers

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/evergate/evergate/internal/cluster/setting"
	"github.com/evergate/evergate/internal/config"
)

// configured is the reason of a state that nobody turned.
const configured = "configured so"

// Act turns the levers of changed, in t, which serves file: to the value that was
// set, or back to what the file says. Where changed has a lever twice the later one
// counts; what is no lever or has no place in file is passed over. It acts before it
// returns. Calls of Act and Settle must not overlap. The error joins those of t,
// each with the lever's name; the other levers were turned.
func Act(t Target, file *config.Config, changed []setting.Version) error {
	var failed []error
	for _, s := range standing(file, changed) {
		value := s.File
		if s.turned() {
			value = s.version.Value
		}
		failed = append(failed, s.act(t, value, why(s.version)))
	}
	return errors.Join(failed...)
}

// Settle brings every lever of t, which serves file or is about to, where current
// says, and those that current does not have where the file says. Errors as Act.
func Settle(t Target, file *config.Config, current []setting.Version) error {
	stood := make(map[string]bool)
	for _, s := range standing(file, current) {
		stood[s.Name] = true
	}
	var failed []error
	for _, i := range Instances(file) {
		if !stood[i.Name] {
			failed = append(failed, i.act(t, i.File, configured))
		}
	}
	return errors.Join(append(failed, Act(t, file, current))...)
}

func (i Instance) act(t Target, value json.RawMessage, why string) error {
	if err := i.lever.turn(t, i.args, value, why); err != nil {
		return fmt.Errorf("turn %s: %w", i.Name, err)
	}
	return nil
}

// why is a change in short: its reason, and whose it is.
func why(v setting.Version) string { return fmt.Sprintf("%s (%s)", v.Reason, v.Actor) }
