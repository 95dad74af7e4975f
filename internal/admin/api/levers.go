package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

const (
	maxHistory  = 200 // versions in one answer
	longestWait = 366 * 24 * time.Hour
)

type leverPath struct {
	Name string `path:"name" maxLength:"300" example:"origins.booking.max_in_flight" doc:"Name of the lever: its path in the configuration; / in it as %2F."`
}

// leverChange is the body of PUT levers/NAME.
type leverChange struct {
	Value       json.RawMessage `json:"value" doc:"The new value, of the lever's type. To go back to the file's, use DELETE."`
	Version     int64           `json:"version" minimum:"0" doc:"Version of the lever that this is based on, as GET gives it. If it has another by now, the answer is 409."`
	Reason      string          `json:"reason" minLength:"1" maxLength:"500" example:"the vaccine campaign begins" doc:"Why. It stands in the history."`
	RevertAfter string          `json:"revert_after,omitempty" example:"15m" doc:"After this time the lever goes back to the value before, unless somebody changed it since."`
	At          time.Time       `json:"at,omitzero" doc:"When to make the change. Missing: now."`
}

type leverRequest struct {
	Name string `path:"name" maxLength:"300" example:"origins.booking.max_in_flight" doc:"Name of the lever: its path in the configuration; / in it as %2F."`
	Body leverChange
}

type leverReset struct {
	Name    string `path:"name" maxLength:"300" example:"origins.booking.max_in_flight" doc:"Name of the lever: its path in the configuration; / in it as %2F."`
	Version int64  `query:"version" required:"true" minimum:"0" doc:"Version of the lever that this is based on."`
	Reason  string `query:"reason" required:"true" minLength:"1" maxLength:"500" doc:"Why. It stands in the history."`
}

type historyRequest struct {
	Name   string `path:"name" maxLength:"300" example:"origins.booking.max_in_flight" doc:"Name of the lever: its path in the configuration; / in it as %2F."`
	Before int64  `query:"before" minimum:"0" doc:"Only versions below this number; 0: from the last one."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most."`
}

func (a *api) addLevers() {
	add(a, operation{
		id: "list-levers", method: http.MethodGet, path: "/levers", tag: tagLevers, role: readers,
		summary: "All levers",
		doc:     "What can be turned while Evergate runs: the value in effect, that of the file, bounds, and who changed it last.",
	}, func(context.Context, Caller, *nothing) (*answer[LeverList], error) {
		return &answer[LeverList]{LeverList{At: a.Clock.Now(), Levers: a.Levers.Levers()}}, nil
	})
	add(a, operation{
		id: "get-lever", method: http.MethodGet, path: "/levers/{name}", tag: tagLevers, role: readers,
		summary: "One lever", hint: "origins.booking.max_in_flight",
		doc:    "Its version is what a change must name.",
		errors: []int{http.StatusNotFound},
	}, func(_ context.Context, _ Caller, in *leverPath) (*answer[Lever], error) {
		l, err := a.Levers.Lever(in.Name)
		return &answer[Lever]{l}, err
	})
	add(a, operation{
		id: "get-lever-history", method: http.MethodGet, path: "/levers/{name}/history", tag: tagLevers, role: readers,
		summary: "Who changed a lever, when and why", hint: "origins.booking.max_in_flight",
		doc:    "The last change first. While the store is lost, whole is false and only what this node remembers is here.",
		errors: []int{http.StatusNotFound},
	}, a.history)
	add(a, operation{
		id: "set-lever", method: http.MethodPut, path: "/levers/{name}", tag: tagLevers, role: token.Operator,
		summary: "Turn a lever", hint: "origins.booking.max_in_flight",
		doc:     "When the answer comes, Evergate acts on the new value and it is durable: in the store, or, while the store is lost, in this node's journal, and then the answer says so.",
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		example: `{"value": 100, "version": 3, "reason": "the vaccine campaign begins", "revert_after": "15m"}`,
	}, func(ctx context.Context, c Caller, in *leverRequest) (*answer[Changed], error) {
		change := Change{Lever: in.Name, Value: in.Body.Value, Based: in.Body.Version, Actor: c.Actor, At: in.Body.At}
		if v := bytes.TrimSpace(change.Value); len(v) == 0 || bytes.Equal(v, []byte("null")) {
			return nil, &InvalidError{Field: "value", Message: "null is no value; DELETE goes back to the file's"}
		}
		var err error
		if change.Reason, err = reason(in.Body.Reason); err != nil {
			return nil, err
		}
		if change.RevertAfter, err = revertAfter(in.Body.RevertAfter); err != nil {
			return nil, err
		}
		if err := later(change.At, a.Clock.Now()); err != nil {
			return nil, err
		}
		return a.change(ctx, change)
	})
	add(a, operation{
		id: "reset-lever", method: http.MethodDelete, path: "/levers/{name}", tag: tagLevers, role: token.Operator, status: http.StatusOK,
		summary: "Give a lever back to the file", hint: "origins.booking.max_in_flight",
		doc:     "The value of the configuration file counts again. The history stays.",
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		example: "?version=3&reason=the%20campaign%20is%20over",
	}, func(ctx context.Context, c Caller, in *leverReset) (*answer[Changed], error) {
		why, err := reason(in.Reason)
		if err != nil {
			return nil, err
		}
		return a.change(ctx, Change{Lever: in.Name, Based: in.Version, Actor: c.Actor, Reason: why})
	})
}

// change makes a change, and finishes it when whoever asked goes away.
func (a *api) change(ctx context.Context, c Change) (*answer[Changed], error) {
	changed, err := a.Levers.Change(context.WithoutCancel(ctx), c)
	if err != nil {
		return nil, err
	}
	if changed.Stored == InJournal && changed.Note == "" {
		changed.Note = "the store is lost: the change is in this node's journal, and goes into the store when it is back"
	}
	return &answer[Changed]{changed}, nil
}

func (a *api) history(ctx context.Context, _ Caller, in *historyRequest) (*answer[History], error) {
	limit := min(in.Limit, maxHistory)
	// One more than asked for shows whether there are older ones.
	versions, whole, err := a.Levers.History(ctx, in.Name, in.Before, limit+1)
	if err != nil {
		return nil, err
	}
	h := History{At: a.Clock.Now(), Whole: whole, Versions: versions}
	if len(versions) > limit {
		h.Versions = versions[:limit]
		h.Next = versions[limit-1].Number
	}
	return &answer[History]{h}, nil
}

func revertAfter(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > longestWait {
		return 0, &InvalidError{Field: "revert_after", Message: "want a time from 1s to 8784h, such as \"15m\" or \"1h30m\""}
	}
	return d, nil
}

// later says what is wrong with the time of a change. A clock that is a little
// behind is no mistake: such a change is made at once.
func later(at, now time.Time) error {
	if !at.IsZero() && (at.Before(now.Add(-time.Minute)) || at.After(now.Add(longestWait))) {
		return &InvalidError{Field: "at", Message: "want a time that is still to come, within a year, such as " + now.Add(time.Hour).UTC().Format(time.RFC3339)}
	}
	return nil
}
