package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/clock"
)

// The limits of the Gate.
const (
	failedBurst   = 10              // wrong tokens at once, per neighbourhood
	failedEvery   = 6 * time.Second // and then one in this time
	requestsBurst = 200             // requests at once, per caller
	requestsRate  = 50              // and then in a second
)

// GateOptions are what a Gate needs.
type GateOptions struct {
	Tokens Tokens
	Log    *slog.Logger
	Clock  clock.Clock
}

// Gate finds out who asks and whether they may. One Gate is for all handlers of
// the admin listeners, because it also counts who tried wrong tokens. Safe for
// concurrent use.
type Gate struct {
	tokens   Tokens
	log      *slog.Logger
	clock    clock.Clock
	failed   *quota // wrong tokens, per neighbourhood
	requests *quota // requests, per caller
	cross    *http.CrossOriginProtection
}

// NewGate returns a Gate.
func NewGate(o GateOptions) *Gate {
	return &Gate{
		tokens: o.Tokens, log: o.Log, clock: o.Clock,
		failed:   newQuota(rate.Every(failedEvery), failedBurst),
		requests: newQuota(requestsRate, requestsBurst),
		cross:    http.NewCrossOriginProtection(),
	}
}

// Require lets those through to next whose role may do what needs role need. next
// finds them by CallerOf. Others are answered 401, 403 or 429.
func (g *Gate) Require(need token.Role, next http.Handler) http.Handler {
	return g.authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := CallerOf(r.Context())
		if !caller.Role.May(need) {
			writeProblem(w, r, tooSmall(caller, need))
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// authenticate lets everybody through who is known, in whatever role.
func (g *Gate) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.cross.Check(r); err != nil {
			writeProblem(w, r, &Problem{
				Status: http.StatusForbidden, Kind: kindOrigin,
				Detail: "a browser sent this for a page of another site; changes are taken from no page",
			})
			return
		}
		caller, problem := g.caller(r)
		if problem == nil {
			problem = g.mayAskNow(caller)
		}
		if problem != nil {
			writeProblem(w, r, problem)
			return
		}
		next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
	})
}

// mayAskNow counts a request by a caller.
func (g *Gate) mayAskNow(c Caller) *Problem {
	wait := g.requests.take(c.Token+"/"+c.Actor, g.clock.Now())
	if wait == 0 {
		return nil
	}
	return &Problem{
		Status: http.StatusTooManyRequests, Kind: kindRate, retryAfter: wait,
		Detail: fmt.Sprintf("%s asks more than %d times a second; wait, or follow GET /api/v1/events instead of asking again and again", c.Actor, requestsRate),
	}
}

// caller finds out who sent r.
func (g *Gate) caller(r *http.Request) (Caller, *Problem) {
	if p := peerOf(r.Context()); p != nil {
		if !p.known {
			return Caller{}, &Problem{
				Status: http.StatusForbidden, Kind: kindRole,
				Detail: "the system does not say who is at the other end of the unix socket; use the TCP listener and a token",
			}
		}
		return Caller{Actor: p.actor(), Role: token.Admin}, nil
	}
	from := hostOf(r.RemoteAddr)
	shown, problem := credentials(r)
	if problem != nil {
		return Caller{}, problem
	}
	t, err := g.tokens.Verify(shown)
	switch {
	case err == nil:
		return Caller{Actor: fmt.Sprintf("%s (token %s)", t.Name, t.ID), Role: t.Role, Token: t.ID, From: from}, nil
	case errors.Is(err, token.ErrExpired):
		return Caller{}, &Problem{
			Status: http.StatusUnauthorized, Kind: kindExpired,
			Detail: fmt.Sprintf("the token %s (%s) is over since %s; an admin makes a new one: evergate token create", t.ID, t.Name, t.Expires.UTC().Format(time.RFC3339)),
		}
	}
	return Caller{}, g.wrong(from)
}

// wrong counts a wrong token and says so. Only the wrong ones meet the limit: the
// right token passes from the same address at any time, so nobody can lock
// operators out by failing beside them.
func (g *Gate) wrong(from string) *Problem {
	if wait := g.failed.take(neighbourhood(from), g.clock.Now()); wait > 0 {
		return &Problem{
			Status: http.StatusTooManyRequests, Kind: kindRate, retryAfter: wait,
			Detail: "too many wrong tokens came from this address; wait before the next try",
		}
	}
	g.log.Warn("a wrong token was shown to the admin API", "from", from)
	return &Problem{
		Status: http.StatusUnauthorized, Kind: kindToken,
		Detail: "this token does not exist: it is mistyped, or was revoked",
	}
}

// credentials returns the token in r.
func credentials(r *http.Request) (string, *Problem) {
	header := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimLeft(rest, " "), nil // RFC 7235 section 2.1: one or more spaces
	case strings.EqualFold(scheme, "Basic"):
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return "", &Problem{
				Status: http.StatusUnauthorized, Kind: kindToken,
				Detail: "a password is taken for reading only, because browsers send it by themselves; send the token as \"Authorization: Bearer TOKEN\"",
			}
		}
		if _, password, ok := r.BasicAuth(); ok {
			return password, nil
		}
	}
	return "", &Problem{
		Status: http.StatusUnauthorized, Kind: kindToken,
		Detail: "a token is needed: send \"Authorization: Bearer TOKEN\"; on the server, \"evergate token create\" makes one",
	}
}

// tooSmall says which role is needed.
func tooSmall(c Caller, need token.Role) *Problem {
	return &Problem{
		Status: http.StatusForbidden, Kind: kindRole, Needs: string(need),
		Detail: fmt.Sprintf("%s has the role %s, and this needs %s", c.Actor, c.Role, need),
	}
}

func hostOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	return host
}
