package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/evergate/evergate/internal/admin/noise"
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
	Tokens     Tokens
	Log        *slog.Logger
	Clock      clock.Clock
	Registerer prometheus.Registerer // nil: refusals are counted and not shown
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
	guesses  *noise.Bound // lines about wrong tokens
	refused  *refusals
}

// NewGate returns a Gate, or an error when its metric is registered already.
func NewGate(o GateOptions) (*Gate, error) {
	refused, err := newRefusals(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Gate{
		tokens: o.Tokens, log: o.Log, clock: o.Clock,
		failed:   newQuota(rate.Every(failedEvery), failedBurst),
		requests: newQuota(requestsRate, requestsBurst),
		cross:    http.NewCrossOriginProtection(),
		guesses:  noise.New(), refused: refused,
	}, nil
}

// Require lets those through to next whose role may do what needs role need. next
// finds them by CallerOf. Others are answered 401, 403 or 429.
func (g *Gate) Require(need token.Role, next http.Handler) http.Handler {
	return g.authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := CallerOf(r.Context())
		if !caller.Role.May(need) {
			g.refuse(w, r, tooSmall(caller, need))
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// refuse answers with p and counts it.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	g.refused.count(p.why)
	writeProblem(w, r, p)
}

// authenticate lets everybody through who is known, in whatever role.
func (g *Gate) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.cross.Check(r); err != nil {
			g.refuse(w, r, &Problem{
				Status: http.StatusForbidden, Kind: kindOrigin, why: ofOtherSite,
				Detail: "a browser sent this for a page of another site; changes are taken from no page",
			})
			return
		}
		caller, problem := g.caller(r)
		if problem == nil {
			problem = g.mayAskNow(caller)
		}
		if problem != nil {
			g.refuse(w, r, problem)
			return
		}
		next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
	})
}

// mayAskNow counts a request by a caller. Those who could end the process anyway
// are not counted: a script of theirs that runs wild must not keep them from saying
// so at 3 a.m.
func (g *Gate) mayAskNow(c Caller) *Problem {
	if c.master {
		return nil
	}
	wait := g.requests.take(c.Token+"/"+c.Actor, g.clock.Now())
	if wait == 0 {
		return nil
	}
	return &Problem{
		Status: http.StatusTooManyRequests, Kind: kindRate, retryAfter: wait, why: ofRate,
		Detail: fmt.Sprintf("%s asks more than %d times a second; wait, or follow GET /api/v1/events instead of asking again and again", c.Actor, requestsRate),
	}
}

// caller finds out who sent r.
func (g *Gate) caller(r *http.Request) (Caller, *Problem) {
	if p := peerOf(r.Context()); p != nil {
		if !p.known {
			return Caller{}, &Problem{
				Status: http.StatusForbidden, Kind: kindRole, why: ofPeer,
				Detail: "the system does not say who is at the other end of the unix socket; use the TCP listener and a token",
			}
		}
		return Caller{Actor: p.actor(), Role: token.Admin, master: p.master()}, nil
	}
	from := hostOf(r.RemoteAddr)
	shown, problem := credentials(r)
	if problem != nil {
		return Caller{}, problem
	}
	t, err := g.tokens.Verify(shown)
	switch {
	case err == nil:
		return Caller{Actor: tokenActor(t), Role: t.Role, Token: t.ID, From: from}, nil
	case errors.Is(err, token.ErrExpired):
		return Caller{}, &Problem{
			Status: http.StatusUnauthorized, Kind: kindExpired, why: ofExpired,
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
			Status: http.StatusTooManyRequests, Kind: kindRate, retryAfter: wait, why: ofGuesses,
			Detail: "too many wrong tokens came from this address; wait before the next try",
		}
	}
	g.guesses.Warn(g.clock.Now(), g.log, "a wrong token was shown to the admin API", "from", from)
	return &Problem{
		Status: http.StatusUnauthorized, Kind: kindToken, why: ofToken,
		Detail: "this token does not exist: it is mistyped, or was revoked",
	}
}

// credentials returns the token in r.
func credentials(r *http.Request) (string, *Problem) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		// Of two, a proxy in between might have looked at the other one.
		return "", noToken("the request has more than one Authorization header; send one")
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimLeft(rest, " "), nil // RFC 7235 section 2.1: one or more spaces
	case strings.EqualFold(scheme, "Basic"):
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return "", noToken("a password is taken for reading only, because browsers send it by themselves; send the token as \"Authorization: Bearer TOKEN\"")
		}
		if !ownPage(r.Header.Get("Sec-Fetch-Site")) {
			// Without a challenge: the page of another site must not make a browser ask for a password.
			return "", &Problem{
				Status: http.StatusForbidden, Kind: kindOrigin, why: ofOtherSite,
				Detail: "a browser sent a remembered password for a page of another site; type the address instead of following a link",
			}
		}
		if _, password, ok := r.BasicAuth(); ok {
			return password, nil
		}
	}
	return "", noToken("a token is needed: send \"Authorization: Bearer TOKEN\"; on the server, \"evergate token create\" makes one")
}

// ownPage reports whether a browser says that a request was made by a person or by
// a page of ours (W3C Fetch Metadata, section 2.3); "" is no browser, or an old one.
func ownPage(site string) bool { return site == "" || site == "none" || site == "same-origin" }

func noToken(detail string) *Problem {
	return &Problem{Status: http.StatusUnauthorized, Kind: kindToken, Detail: detail, why: ofNoToken}
}

// tooSmall says which role is needed.
func tooSmall(c Caller, need token.Role) *Problem {
	return &Problem{
		Status: http.StatusForbidden, Kind: kindRole, Needs: string(need), why: ofRole,
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
