package api

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/evergate/evergate/internal/admin/token"
)

// base stands before the path of every operation.
const base = "/api/v1"

// maxBody bounds the bytes of a body.
const maxBody = 64 << 10

// operation is one method on one path.
type operation struct {
	id      string // of the document; also in the log
	method  string
	path    string // below base
	tag     string // the group that it stands in
	summary string // half a line
	doc     string // sentences
	role    token.Role
	status  int    // of success
	errors  []int  // besides those that every operation may answer
	example string // a body, for the page
	hint    string // what stands for the path's and the query's variables in examples
}

// roleExtension is the member of an operation in the document that names the role.
const roleExtension = "x-evergate-role"

// add puts an operation into the API and into its document. do gets the caller,
// whose role is right, and a request that fits the document.
func add[In, Out any](a *api, o operation, do func(ctx context.Context, c Caller, in *In) (*Out, error)) {
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: base + o.path, Tags: []string{o.tag},
		Summary: o.summary, Description: o.doc + "\n\nNeeds the role " + string(o.role) + ".",
		DefaultStatus: o.status,
		MaxBodyBytes:  maxBody + 1, // huma refuses a body of exactly this length
		// huma sets this anew where BodyWithin has set it, and would take it away for none.
		BodyReadTimeout: bodyTime,
		Extensions:      map[string]any{roleExtension: string(o.role)},
		Responses:       a.failures(o),
		Security:        security(o.method),
	}
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if p := a.refuses(ctx.Operation(), r, o.role); p != nil {
			a.Gate.refuse(w, r, p)
			return
		}
		next(ctx)
	}}
	huma.Register(a.huma, op, func(ctx context.Context, in *In) (*Out, error) {
		caller, _ := CallerOf(ctx)
		out, err := do(ctx, caller, in)
		if err != nil {
			return nil, a.problem(ctx, o.id, err)
		}
		return out, nil
	})
	a.operations = append(a.operations, o)
}

// refuses says what is wrong with a request before its body is read.
func (a *api) refuses(op *huma.Operation, r *http.Request, need token.Role) *Problem {
	caller, _ := CallerOf(r.Context())
	switch {
	case !caller.Role.May(need):
		return tooSmall(caller, need)
	case op.RequestBody == nil:
		return nil
	case r.ContentLength > maxBody:
		return tooLarge()
	case r.ContentLength == 0:
		return nil // huma says what it thinks of that
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &Problem{
			Status: http.StatusUnsupportedMediaType, Kind: kindMediaType,
			Detail: "want a body of Content-Type: application/json",
		}
	}
	return nil
}

// failures are the answers of an operation that are no success.
func (a *api) failures(o operation) map[string]*huma.Response {
	statuses := append([]int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest,
		http.StatusTooManyRequests, http.StatusInternalServerError,
	}, o.errors...)
	if o.method == http.MethodPost || o.method == http.MethodPut {
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestTimeout,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	statuses = append(statuses, http.StatusUnprocessableEntity) // an unknown query parameter, at least
	slices.Sort(statuses)
	responses := map[string]*huma.Response{}
	for _, status := range slices.Compact(statuses) {
		responses[strconv.Itoa(status)] = a.failure(status)
	}
	return responses
}

func (a *api) failure(status int) *huma.Response {
	r := &huma.Response{
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{problemType: {Schema: a.problemSchema}},
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		r.Headers = map[string]*huma.Param{"Retry-After": {
			Description: "Seconds until the next try makes sense.",
			Schema:      &huma.Schema{Type: huma.TypeInteger},
		}}
	}
	return r
}

// security is what the document says about who may ask. The empty one is the unix
// socket.
func security(method string) []map[string][]string {
	all := []map[string][]string{{"bearer": {}}}
	if method == http.MethodGet {
		all = append(all, map[string][]string{"basic": {}})
	}
	return append(all, map[string][]string{})
}
