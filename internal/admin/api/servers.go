package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/evergate/evergate/internal/admin/token"
)

type serverPath struct {
	Name string `path:"name" maxLength:"200" example:"booking" doc:"Name of the origin."`
	Addr string `path:"addr" maxLength:"200" example:"10.0.0.11:8080" doc:"The server as the configuration has it, without the scheme; / in it as %2F."`
}

// serverChange is the body of enable, drain and disable.
type serverChange struct {
	Reason      string `json:"reason" minLength:"1" maxLength:"500" example:"new kernel" doc:"Why. It stands in the history."`
	RevertAfter string `json:"revert_after,omitempty" example:"15m" doc:"After this time the server goes back to the state before, unless somebody changed it since."`
	Version     *int64 `json:"version,omitempty" minimum:"0" doc:"Version of the lever that this is based on. Missing: whatever it is."`
}

type serverRequest struct {
	Name string `path:"name" maxLength:"200" example:"booking" doc:"Name of the origin."`
	Addr string `path:"addr" maxLength:"200" example:"10.0.0.11:8080" doc:"The server as the configuration has it, without the scheme; / in it as %2F."`
	Body serverChange
}

func (a *api) addServers() {
	add(a, operation{
		id: "get-server", method: http.MethodGet, path: "/origins/{name}/servers/{addr}", tag: tagDoor, role: readers,
		summary: "One server with its levers", hint: "booking|10.0.0.11:8080",
		doc:    "A configured server, every address that its name stands for, and its levers.",
		errors: []int{http.StatusNotFound},
	}, func(_ context.Context, _ Caller, in *serverPath) (*answer[ServerDetail], error) {
		d, err := a.server(in.Name, in.Addr)
		return &answer[ServerDetail]{d}, err
	})
	for _, s := range []struct{ verb, state, summary, doc string }{
		{"enable", "up", "Let a server work again", "It gets requests as soon as it is healthy."},
		{"drain", "drain", "Take a server out gently", "It gets no new requests; those under way end, and checks go on."},
		{"disable", "maint", "Take a server out for work on it", "It gets neither new requests nor checks."},
	} {
		add(a, operation{
			id: s.verb + "-server", method: http.MethodPost, path: "/origins/{name}/servers/{addr}/" + s.verb, tag: tagDoor, role: token.Operator,
			summary: s.summary, hint: "booking|10.0.0.11:8080",
			doc:     s.doc + fmt.Sprintf(" This sets the lever origins.NAME.servers[ADDR].state to %s.", s.state),
			errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
			example: `{"reason": "new kernel", "revert_after": "15m"}`,
		}, func(ctx context.Context, c Caller, in *serverRequest) (*answer[Changed], error) {
			return a.turnServer(ctx, c, in, s.state)
		})
	}
}

// turnServer sets a server's state.
func (a *api) turnServer(ctx context.Context, c Caller, in *serverRequest, state string) (*answer[Changed], error) {
	detail, err := a.server(in.Name, in.Addr)
	if err != nil {
		return nil, err
	}
	change := Change{Lever: serverLever(in.Name, detail.Configured, "state"), Actor: c.Actor}
	if change.Value, err = json.Marshal(state); err != nil {
		return nil, err
	}
	if change.Reason, err = reason(in.Body.Reason); err != nil {
		return nil, err
	}
	if change.RevertAfter, err = revertAfter(in.Body.RevertAfter); err != nil {
		return nil, err
	}
	if in.Body.Version != nil {
		change.Based = *in.Body.Version
		return a.change(ctx, change)
	}
	// Whatever it was before, the server shall be out now: a change by somebody else
	// between the look and the change is looked at again, twice at most.
	for tries := 3; ; tries-- {
		lever, err := a.Levers.Lever(change.Lever)
		if err != nil {
			return nil, err
		}
		change.Based = lever.Version
		out, err := a.change(ctx, change)
		var conflict *ConflictError
		if tries > 1 && errors.As(err, &conflict) {
			continue
		}
		return out, err
	}
}

// server finds a configured server. Errors: *UnknownError.
func (a *api) server(origin, addr string) (ServerDetail, error) {
	o, err := a.origin(origin)
	if err != nil {
		return ServerDetail{}, err
	}
	d := ServerDetail{At: a.Clock.Now(), Origin: origin, Configured: addr}
	unknown := &UnknownError{What: whatServer, Name: addr}
	for _, s := range o.Servers {
		switch {
		case s.Configured == addr:
			d.Servers = append(d.Servers, s)
		case s.Address == addr:
			// One of several addresses of a name: the name is what can be turned.
			unknown.among = []string{s.Configured}
			unknown.Name = s.Configured
		default:
			unknown.among = append(unknown.among, s.Configured)
		}
	}
	if len(d.Servers) == 0 {
		return ServerDetail{}, a.noServer(unknown, addr)
	}
	for _, what := range []string{"state", "weight"} {
		l, err := a.Levers.Lever(serverLever(origin, addr, what))
		var none *UnknownError
		switch {
		case err == nil:
			d.Levers = append(d.Levers, l)
		case !errors.As(err, &none): // a server that leaves has no levers any more
			return ServerDetail{}, err
		}
	}
	return d, nil
}

// noServer says that an origin has no server at addr.
func (a *api) noServer(unknown *UnknownError, addr string) error {
	if unknown.Name == addr {
		return unknown
	}
	return &Problem{
		Status: http.StatusNotFound, Kind: kindUnknown, Nearest: []string{unknown.Name},
		Detail: fmt.Sprintf("%s is one of the addresses of %s; use that name", addr, unknown.Name),
	}
}

func serverLever(origin, addr, what string) string {
	return "origins." + origin + ".servers[" + addr + "]." + what
}
