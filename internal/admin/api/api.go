// Package api is the operators' HTTP API: status, levers, servers, reload, tokens
// and a stream of events, described by the OpenAPI document that it serves. See
// DESIGN.md for who may do what.
package api

import (
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/clock"
)

// Options are what the API is made of. All but Clock must be there.
type Options struct {
	Door      Door
	Levers    Levers
	Dues      Dues
	Tokens    Tokens
	Confirmer Confirmer
	Events    *Events
	Gate      *Gate
	Version   string // of Evergate, for the document
	Log       *slog.Logger
	Clock     clock.Clock
}

// api is what handlers share.
type api struct {
	Options
	log           *slog.Logger
	mux           *http.ServeMux
	huma          huma.API
	problemSchema *huma.Schema
	operations    []operation
}

// New returns the handler of /api/. It finds out itself who asks, by o.Gate. On
// TCP it stands behind Gate.HostCheck; on the unix socket, the server's ConnContext is
// PeerContext.
func New(o Options) http.Handler {
	a := build(o)
	return a.recovering(o.Gate.authenticate(a.routed(a.mux)))
}

func build(o Options) *api {
	mux := http.NewServeMux()
	a := &api{Options: o, log: o.Log, mux: mux, huma: humago.New(mux, document(o.Version))}
	a.problemSchema = a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")

	a.addReading()
	a.addServers()
	a.addLevers()
	a.addDues()
	a.addReload()
	a.addTokens()
	a.addStore()
	a.addEvents()
	a.addDocument(mux)
	return a
}

// routed answers in our form when no operation has the path, or not the method.
func (a *api) routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			safeHeaders(w.Header())
			mux.ServeHTTP(w, r)
			return
		}
		// The mux has no pattern: its handler says 404, or 405 with the methods.
		said := &answerHead{header: http.Header{}}
		handler.ServeHTTP(said, r)
		if allow := said.header.Get("Allow"); said.status == http.StatusMethodNotAllowed && allow != "" {
			w.Header().Set("Allow", allow)
			writeProblem(w, r, &Problem{Status: http.StatusMethodNotAllowed, Kind: kindMethod, Detail: "this path takes " + allow})
			return
		}
		writeProblem(w, r, &Problem{
			Status: http.StatusNotFound, Kind: kindUnknown,
			Detail: "there is nothing at this path; /api/ lists what there is. A / in a name is written %2F",
		})
	})
}

// recovering keeps one handler's mistake from ending more than its request.
func (a *api) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &begun{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			a.log.Error("a handler of the admin API panicked", "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
			if seen.begun {
				panic(http.ErrAbortHandler) // a cut answer must not look whole
			}
			writeProblem(w, r, &Problem{Status: http.StatusInternalServerError, Kind: kindInternal, Detail: "Evergate made a mistake; its log says more"})
		}()
		next.ServeHTTP(seen, r)
	})
}

// answerHead takes the head of an answer and drops its body.
type answerHead struct {
	header http.Header
	status int
}

func (h *answerHead) Header() http.Header         { return h.header }
func (h *answerHead) Write(p []byte) (int, error) { return len(p), nil }
func (h *answerHead) WriteHeader(status int)      { h.status = status }

// begun knows whether an answer has begun.
type begun struct {
	http.ResponseWriter
	begun bool
}

func (b *begun) WriteHeader(status int) { b.begun = true; b.ResponseWriter.WriteHeader(status) }

func (b *begun) Write(p []byte) (int, error) { b.begun = true; return b.ResponseWriter.Write(p) }

// Unwrap is for http.ResponseController.
func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// answer is a body.
type answer[T any] struct{ Body T }

// readers is the role that reading needs.
const readers = token.Viewer
