package chatops

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
	"github.com/evergate/evergate/internal/admin/chat"
)

// wants is what the operator needs; its own name would hide one of its methods.
type wants = api.Levers

// turner is an api.Levers that answers what it is told.
type turner struct {
	wants
	asked   api.Change
	changed api.Changed
	err     error
}

func (l *turner) Change(_ context.Context, c api.Change) (api.Changed, error) {
	l.asked = c
	return l.changed, l.err
}

func parse(_, text string) (json.RawMessage, error) {
	if text == "bad" {
		return nil, &api.InvalidError{Field: "value", Message: "want a number"}
	}
	return json.RawMessage(text), nil
}

func TestOperator_TurnsALeverAsTheOneWhoTyped(t *testing.T) {
	back := time.Unix(100, 0)
	levers := &turner{changed: api.Changed{
		Lever:  api.Lever{Name: "origins.app.max_in_flight", Value: json.RawMessage("100"), Unit: "requests", Set: true, Actor: "ann (slack)"},
		Stored: api.InJournal, Due: &api.Due{Kind: "revert", At: back},
	}}
	o := &Operator{Turn: levers, Parse: parse}
	got, err := o.Change(t.Context(), chat.Change{
		Lever: "origins.app.max_in_flight", Value: "100", Based: 4, Reason: "slow", Actor: "ann", Program: "slack", RevertAfter: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if levers.asked.Actor != "ann (slack)" || levers.asked.Based != 4 || string(levers.asked.Value) != "100" || levers.asked.RevertAfter != time.Minute {
		t.Errorf("asked for %+v", levers.asked)
	}
	if got.Lever.Value != "100 requests" || !got.Journaled || !got.Reverts.Equal(back) {
		t.Errorf("answered %+v", got)
	}
	if _, err := o.Change(t.Context(), chat.Change{Lever: "x", Reset: true, Actor: "ann", Program: "slack", Reason: "done"}); err != nil || levers.asked.Value != nil {
		t.Errorf("a reset asked for the value %s (%v)", levers.asked.Value, err)
	}
}

func TestOperator_TellsPeopleWhatIsTheirsToKnow(t *testing.T) {
	internal := errors.New("disk /secret/path broke")
	tests := []struct {
		name  string
		value string
		err   error
		shown bool
	}{
		{"a value that will not do", "bad", nil, true},
		{"a lever that there is not", "1", &api.UnknownError{What: "lever", Name: "x"}, true},
		{"a change that could not be kept", "1", &api.BusyError{Message: "no room"}, true},
		{"anything else", "1", internal, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &Operator{Turn: &turner{err: tt.err}, Parse: parse}
			_, err := o.Change(t.Context(), chat.Change{Lever: "x", Value: tt.value})
			var refusal *chat.Refusal
			if errors.As(err, &refusal) != tt.shown {
				t.Errorf("got %v, shown should be %t", err, tt.shown)
			}
		})
	}
	o := &Operator{Turn: &turner{err: &api.ConflictError{Current: &api.Lever{Name: "x", Actor: "bob"}}}, Parse: parse}
	_, err := o.Change(t.Context(), chat.Change{Lever: "x", Value: "1"})
	var conflict *chat.Conflict
	if !errors.As(err, &conflict) || conflict.Now.Name != "x" {
		t.Errorf("somebody was faster: %v", err)
	}
}
