package api

import (
	"context"
	"net/http"

	"github.com/evergate/evergate/internal/admin/token"
)

type confirmRequest struct{ Body Confirmation }

func (a *api) addStore() {
	add(a, operation{
		id: "get-store", method: http.MethodGet, path: "/store", tag: tagStore, role: readers,
		summary: "How the store is",
		doc:     "Whether it takes changes, why not, and whether it waits for an operator's word.",
	}, func(context.Context, Caller, *nothing) (*answer[Store], error) {
		return &answer[Store]{a.Door.Status().Store}, nil
	})
	add(a, operation{
		id: "confirm-store", method: http.MethodPost, path: "/store/confirm", tag: tagStore, role: token.Admin,
		summary: "Give your word on a store that is not as it was",
		doc:     "A store that came back empty, older or as another one counts as lost until somebody says what is right: refill writes into it what this node knows; accept takes it as it is.",
		errors:  []int{http.StatusConflict, http.StatusServiceUnavailable},
		example: `{"how": "refill", "reason": "the database was set up anew"}`,
	}, func(ctx context.Context, c Caller, in *confirmRequest) (*answer[Store], error) {
		why, err := reason(in.Body.Reason)
		if err != nil {
			return nil, err
		}
		if err := a.Confirmer.Confirm(context.WithoutCancel(ctx), in.Body.How, c.Actor, why); err != nil {
			return nil, err
		}
		return &answer[Store]{a.Door.Status().Store}, nil
	})
}
