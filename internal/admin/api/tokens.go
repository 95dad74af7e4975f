package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/setting"
)

const (
	defaultExpiry  = 90 * 24 * time.Hour
	shortestExpiry = time.Minute
	longestExpiry  = 5 * 366 * 24 * time.Hour
)

type newTokenRequest struct{ Body NewToken }

type tokenRevoke struct {
	ID     string `path:"id" maxLength:"20" example:"4k9x2m7q" doc:"Id of the token."`
	Reason string `query:"reason" maxLength:"500" doc:"Why. It stands in the history."`
}

func (a *api) addTokens() {
	add(a, operation{
		id: "list-tokens", method: http.MethodGet, path: "/tokens", tag: tagTokens, role: token.Admin,
		summary: "All tokens",
		doc:     "What is known of them; their secrets are known to nobody but their owners.",
	}, func(context.Context, Caller, *nothing) (*answer[TokenList], error) {
		return &answer[TokenList]{TokenList{At: a.Clock.Now(), Tokens: a.Tokens.List()}}, nil
	})
	add(a, operation{
		id: "create-token", method: http.MethodPost, path: "/tokens", tag: tagTokens, role: token.Admin, status: http.StatusCreated,
		summary: "Make a token",
		doc:     "The secret is in this answer and nowhere else. It works at once.",
		errors:  []int{http.StatusConflict, http.StatusServiceUnavailable},
		example: `{"name": "deploy-pipeline", "role": "operator", "expires_in": "2160h"}`,
	}, func(ctx context.Context, c Caller, in *newTokenRequest) (*answer[IssuedToken], error) {
		expires, err := expiry(in.Body.ExpiresIn, a.Clock.Now())
		if err != nil {
			return nil, err
		}
		t, secret, err := a.Tokens.Create(context.WithoutCancel(ctx), in.Body.Name, in.Body.Role, expires, c.Actor)
		return &answer[IssuedToken]{IssuedToken{Token: t, Secret: secret}}, err
	})
	add(a, operation{
		id: "revoke-token", method: http.MethodDelete, path: "/tokens/{id}", tag: tagTokens, role: token.Admin,
		summary: "Revoke a token", hint: "4k9x2m7q",
		doc:     "It stops working at once, and streams that it opened end. Changes that it asked for and that still wait are listed and not taken back. While the store is lost, other nodes do not learn of it: the answer says so.",
		errors:  []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		example: "?reason=lost%20laptop",
	}, a.revoke)
}

func (a *api) revoke(ctx context.Context, c Caller, in *tokenRevoke) (*answer[RevokedToken], error) {
	why := "revoked"
	if in.Reason != "" {
		var err error
		if why, err = reason(in.Reason); err != nil {
			return nil, err
		}
	}
	stored, err := a.Tokens.Revoke(context.WithoutCancel(ctx), in.ID, c.Actor, why)
	if err != nil {
		return nil, err
	}
	out := RevokedToken{ID: in.ID, Stored: Stored(stored)}
	for _, d := range a.Dues.Dues() {
		if d.State == string(setting.Pending) && actsFor(d.Actor, in.ID) {
			out.Due = append(out.Due, d)
		}
	}
	var notes []string
	if out.Stored == InJournal {
		notes = append(notes, "The store is lost: this node refuses the token from now on, and the others do when the store is back. Until then, revoke it on each of them.")
	}
	if len(out.Due) > 0 {
		notes = append(notes, "What was asked for with it and still waits goes on: look at due, and cancel what should not be.")
	}
	out.Note = strings.Join(notes, " ")
	return &answer[RevokedToken]{out}, nil
}

// expiry is when a token made at now is over; zero: never.
func expiry(text string, now time.Time) (time.Time, error) {
	switch text {
	case "":
		return now.Add(defaultExpiry), nil
	case "never":
		return time.Time{}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < shortestExpiry || d > longestExpiry {
		return time.Time{}, &InvalidError{Field: "expires_in", Message: "want a time from 1m to 43920h, such as \"24h\", or \"never\""}
	}
	return now.Add(d), nil
}
