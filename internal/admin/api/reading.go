package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// The groups of the document, in the order of the page.
const (
	tagDoor   = "Door"
	tagLevers = "Levers"
	tagDue    = "Due changes"
	tagStore  = "Store"
	tagTokens = "Tokens"
	tagEvents = "Events"
)

// configuration is the answer of GET config. What is in it is described by the
// schema of the file.
type configuration json.RawMessage

// MarshalJSON writes it as it is.
func (c configuration) MarshalJSON() ([]byte, error) { return json.RawMessage(c).MarshalJSON() }

// Schema is that of any object.
func (configuration) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Description: "The keys of the file, defaults filled in, levers in effect, secrets as \"***\".", AdditionalProperties: true}
}

type nothing struct{}

type originPath struct {
	Name string `path:"name" maxLength:"200" example:"booking" doc:"Name of the origin."`
}

func (a *api) addReading() {
	add(a, operation{
		id: "get-status", method: http.MethodGet, path: "/status", tag: tagDoor, role: readers,
		summary: "How the node is",
		doc:     "Version, uptime, health conditions by name, the store, levers that override the file, and figures, all of one moment.",
	}, func(context.Context, Caller, *nothing) (*answer[Status], error) {
		return &answer[Status]{a.Door.Status()}, nil
	})
	add(a, operation{
		id: "get-config", method: http.MethodGet, path: "/config", tag: tagDoor, role: readers,
		summary: "The configuration in use",
		doc:     "As it is in effect, levers included, without secrets.",
	}, func(context.Context, Caller, *nothing) (*answer[configuration], error) {
		return &answer[configuration]{configuration(a.Door.Config())}, nil
	})
	add(a, operation{
		id: "list-sites", method: http.MethodGet, path: "/sites", tag: tagDoor, role: readers,
		summary: "All sites with their routes",
		doc:     "In the order of the configuration.",
	}, func(context.Context, Caller, *nothing) (*answer[SiteList], error) {
		return &answer[SiteList]{SiteList{At: a.Clock.Now(), Sites: a.Door.Sites()}}, nil
	})
	add(a, operation{
		id: "list-origins", method: http.MethodGet, path: "/origins", tag: tagDoor, role: readers,
		summary: "All origins with their servers",
		doc:     "With the health of every server at this moment.",
	}, func(context.Context, Caller, *nothing) (*answer[OriginList], error) {
		return &answer[OriginList]{OriginList{At: a.Clock.Now(), Origins: a.Door.Origins()}}, nil
	})
	add(a, operation{
		id: "get-origin", method: http.MethodGet, path: "/origins/{name}", tag: tagDoor, role: readers,
		summary: "One origin with its servers", hint: "booking",
		doc:    "With the health of every server at this moment.",
		errors: []int{http.StatusNotFound},
	}, func(_ context.Context, _ Caller, in *originPath) (*answer[Origin], error) {
		o, err := a.origin(in.Name)
		return &answer[Origin]{o}, err
	})
}

// origin returns the origin with this name. Errors: *UnknownError.
func (a *api) origin(name string) (Origin, error) {
	for _, o := range a.Door.Origins() {
		if o.Name == name {
			return o, nil
		}
	}
	return Origin{}, &UnknownError{What: whatOrigin, Name: name}
}
