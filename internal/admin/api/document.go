package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// document is the OpenAPI document without operations. huma's own routes, whose
// page loads a script from another host, are off: their paths are empty.
func document(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Evergate", Version: cmp.Or(version, "0"),
				Description: "The operators' API of one Evergate. Over the unix socket admin.sock in data_dir, nothing else is needed. Over TCP, every request needs a token: \"Authorization: Bearer TOKEN\", or for GET also a password. Errors are application/problem+json (RFC 9457). Answers may get more members in later versions; pass over those that you do not know.",
				License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "Where this document comes from."}},
			Tags: []*huma.Tag{
				{Name: tagDoor, Description: "What the door is doing, and its servers."},
				{Name: tagLevers, Description: "What operators turn while it runs."},
				{Name: tagDue, Description: "Reverts and changes that wait for their time."},
				{Name: tagEvents, Description: "What happens, as it happens."},
				{Name: tagStore, Description: "What keeps settings and certificates."},
				{Name: tagTokens, Description: "Who may ask from afar."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer": {Type: "http", Scheme: "bearer", Description: "A token."},
					"basic":  {Type: "http", Scheme: "basic", Description: "Any name, and a token as the password. For GET only."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{asProblem},
	}
}

// addDocument serves the document and the page. It comes last, when all operations
// are known. Each is made when somebody asks for it first, and then kept: most
// processes are never asked.
func (a *api) addDocument(mux *http.ServeMux) {
	oapi := a.huma.OpenAPI()
	letAnswersGrow(oapi)
	asJSON := sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(oapi, "", "  ") })
	asYAML := sync.OnceValues(oapi.YAML)
	readable := sync.OnceValues(func() ([]byte, error) { return newPage(oapi, a.operations) })
	a.serve("/api/openapi.json", "application/openapi+json", nothingLoads, asJSON)
	a.serve("/api/openapi.yaml", "application/openapi+yaml", nothingLoads, asYAML)
	a.serve("/api/{$}", "text/html; charset=utf-8", pagePolicy(), readable)
	mux.Handle("GET /api", http.RedirectHandler("/api/", http.StatusPermanentRedirect))
}

// serve serves one text to everybody who may read.
func (a *api) serve(path, kind, policy string, content func() ([]byte, error)) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		caller, _ := CallerOf(r.Context())
		if !caller.Role.May(readers) {
			a.Gate.refuse(w, r, tooSmall(caller, readers))
			return
		}
		text, err := content()
		if err != nil {
			p := a.problem(r.Context(), path, fmt.Errorf("write %s: %w", path, err))
			writeProblem(w, r, p.(*Problem)) // of an error that is none of ours
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Security-Policy", policy)
		_, _ = w.Write(text) // whoever asked is gone
	})
}

// letAnswersGrow says of the types of answers that they may have more members, so
// that a client made from the document takes the next version's answers. In
// requests, a member that is not known is a mistyped one.
func letAnswersGrow(oapi *huma.OpenAPI) {
	asked := map[string]bool{}
	for _, item := range oapi.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete} {
			if op == nil || op.RequestBody == nil {
				continue
			}
			for _, media := range op.RequestBody.Content {
				asked[typeName(media.Schema)] = true
			}
		}
	}
	for name, schema := range oapi.Components.Schemas.Map() {
		if !asked[name] && schema.Type == huma.TypeObject {
			schema.AdditionalProperties = true
		}
	}
}

// typeName is the name of the type that a schema refers to, "" if none.
func typeName(s *huma.Schema) string {
	if s == nil || s.Ref == "" {
		return ""
	}
	return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
}

// typeNames are the names of all types in the document, in order.
func typeNames(oapi *huma.OpenAPI) []string {
	var names []string
	for name := range oapi.Components.Schemas.Map() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
