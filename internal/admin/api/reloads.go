package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/evergate/evergate/internal/admin/token"
)

func (a *api) addReload() {
	add(a, operation{
		id: "reload", method: http.MethodPost, path: "/reload", tag: tagDoor, role: token.Operator,
		summary: "Load the configuration file again",
		doc:     "The answer comes when the new configuration is in use. If it has mistakes, the old one stays and the answer is 422 with all of them.",
	}, func(ctx context.Context, c Caller, _ *nothing) (*answer[Reload], error) {
		r := a.Door.Reload(context.WithoutCancel(ctx), c.Actor)
		if r.OK {
			return &answer[Reload]{r}, nil
		}
		p := &RefusedReload{Reload: r, Problem: Problem{
			Status: http.StatusUnprocessableEntity, Kind: kindReload,
			Detail: "the old configuration is still in use: " + strings.Join(r.Problems, "; "),
		}}
		p.whole()
		return nil, p
	})
	op := a.huma.OpenAPI().Paths[base+"/reload"].Post
	op.Responses["422"].Content[problemType].Schema = a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[RefusedReload](), true, "RefusedReload")
}
