package api

import (
	"context"
	"net/http"

	"github.com/evergate/evergate/internal/admin/token"
)

type dueCancel struct {
	ID     string `path:"id" maxLength:"100" doc:"Id of the due change."`
	Reason string `query:"reason" required:"true" minLength:"1" maxLength:"500" doc:"Why. It stands beside the due change."`
}

func (a *api) addDues() {
	add(a, operation{
		id: "list-due", method: http.MethodGet, path: "/due", tag: tagDue, role: readers,
		summary: "Changes that wait for their time",
		doc:     "Reverts and changes that were asked for a later time: those that wait, the next one first; then those that were skipped lately, because somebody had changed the lever since.",
	}, func(context.Context, Caller, *nothing) (*answer[DueList], error) {
		return &answer[DueList]{DueList{At: a.Clock.Now(), Due: a.Dues.Dues()}}, nil
	})
	add(a, operation{
		id: "cancel-due", method: http.MethodDelete, path: "/due/{id}", tag: tagDue, role: token.Operator,
		summary: "Take back a change that waits", hint: "0198c5d2",
		doc:     "It is not made. If it waits no more, the answer is 409.",
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		example: "?reason=we%20stay%20at%20100",
	}, func(ctx context.Context, c Caller, in *dueCancel) (*nothing, error) {
		why, err := reason(in.Reason)
		if err != nil {
			return nil, err
		}
		return &nothing{}, a.Dues.Cancel(context.WithoutCancel(ctx), in.ID, c.Actor, why)
	})
}
