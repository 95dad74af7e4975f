package api

import (
	"context"
	"strings"

	"github.com/evergate/evergate/internal/admin/token"
)

// Caller is who asks.
type Caller struct {
	Actor string     // name for the history: "root", "uid:1001", "anna (token 4k9x2m7q)"
	Role  token.Role // what the caller may do
	Token string     // id of the token; "": over the unix socket
	From  string     // address of a TCP peer without port; "": over the unix socket

	master bool // root or Evergate's own user, over the unix socket
}

// tokenActor is the actor of what is done with a token. Names of tokens have no
// brackets, so only the token itself has this actor.
func tokenActor(t token.Token) string { return t.Name + actorSuffix(t.ID) }

func actorSuffix(id string) string { return " (token " + id + ")" }

// actsFor reports whether actor is that of the token with this id.
func actsFor(actor, id string) bool { return strings.HasSuffix(actor, actorSuffix(id)) }

type callerKey struct{}

// CallerOf returns who asks, as the Gate found out. false: the request did not
// pass a Gate.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
