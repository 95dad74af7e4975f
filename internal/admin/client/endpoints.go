package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/evergate/evergate/internal/admin/api"
)

// Every method asks one endpoint. Errors: a *Problem that Evergate answered with,
// ErrNotRunning and ErrNotAllowed of the socket, context.DeadlineExceeded when ctx
// was over first, and others, all with words for people.

// Status returns how the node is.
func (c *Client) Status(ctx context.Context) (Answer[api.Status], error) {
	return get[api.Status](ctx, c, "status", nil)
}

// Store returns how the store is.
func (c *Client) Store(ctx context.Context) (Answer[api.Store], error) {
	return get[api.Store](ctx, c, "store", nil)
}

// Config returns the configuration in use, levers included, without secrets.
func (c *Client) Config(ctx context.Context) (Answer[json.RawMessage], error) {
	return get[json.RawMessage](ctx, c, "config", nil)
}

// Sites returns all sites.
func (c *Client) Sites(ctx context.Context) (Answer[api.SiteList], error) {
	return get[api.SiteList](ctx, c, "sites", nil)
}

// Origins returns all origins with their servers.
func (c *Client) Origins(ctx context.Context) (Answer[api.OriginList], error) {
	return get[api.OriginList](ctx, c, "origins", nil)
}

// Levers returns all levers.
func (c *Client) Levers(ctx context.Context) (Answer[api.LeverList], error) {
	return get[api.LeverList](ctx, c, "levers", nil)
}

// Lever returns one lever.
func (c *Client) Lever(ctx context.Context, name string) (Answer[api.Lever], error) {
	return get[api.Lever](ctx, c, "levers/"+escape(name), nil)
}

// History returns at most limit changes of a lever with numbers below before, the
// last one first; before 0: from the last one.
func (c *Client) History(ctx context.Context, name string, before int64, limit int) (Answer[api.History], error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if before > 0 {
		query.Set("before", strconv.FormatInt(before, 10))
	}
	return get[api.History](ctx, c, "levers/"+escape(name)+"/history", query)
}

// Turn is a change of a lever. Value nil resets it to the file's value.
type Turn struct {
	Value       json.RawMessage
	Version     int64 // on which it is based
	Reason      string
	RevertAfter time.Duration // 0: it stays
	At          time.Time     // zero: now
}

// body is Turn in the API's words.
type body struct {
	Value       json.RawMessage `json:"value,omitempty"`
	Version     *int64          `json:"version,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	RevertAfter string          `json:"revert_after,omitempty"`
	At          *time.Time      `json:"at,omitempty"`
}

func (t Turn) body() body {
	b := body{Value: t.Value, Version: &t.Version, Reason: t.Reason}
	if t.RevertAfter > 0 {
		b.RevertAfter = t.RevertAfter.String()
	}
	if !t.At.IsZero() {
		b.At = &t.At
	}
	return b
}

// Set changes a lever. A *Problem with status 409 says that somebody was faster;
// Current is then the lever as it is now.
func (c *Client) Set(ctx context.Context, name string, t Turn) (Answer[api.Changed], error) {
	answer, err := c.ask(ctx, http.MethodPut, "levers/"+escape(name), nil, t.body())
	return typed[api.Changed](c, answer, err)
}

// Reset gives a lever back to the file. Errors as for Set.
func (c *Client) Reset(ctx context.Context, name string, version int64, reason string) (Answer[api.Changed], error) {
	query := url.Values{"version": {strconv.FormatInt(version, 10)}, "reason": {reason}}
	answer, err := c.ask(ctx, http.MethodDelete, "levers/"+escape(name), query, nil)
	return typed[api.Changed](c, answer, err)
}

// Server enables, drains or disables a server, by the API's word for it.
func (c *Client) Server(ctx context.Context, origin, address, what, reason string, revertAfter time.Duration) (Answer[api.Changed], error) {
	b := body{Reason: reason}
	if revertAfter > 0 {
		b.RevertAfter = revertAfter.String()
	}
	path := "origins/" + escape(origin) + "/servers/" + escape(address) + "/" + what
	answer, err := c.ask(ctx, http.MethodPost, path, nil, b)
	return typed[api.Changed](c, answer, err)
}

// Dues returns the changes that wait for their time.
func (c *Client) Dues(ctx context.Context) (Answer[api.DueList], error) {
	return get[api.DueList](ctx, c, "due", nil)
}

// Cancel takes back a change that waits.
func (c *Client) Cancel(ctx context.Context, id, reason string) error {
	_, err := c.ask(ctx, http.MethodDelete, "due/"+escape(id), url.Values{"reason": {reason}}, nil)
	return err
}

// Reload asks for a reload and waits for its end. The error is about the asking,
// the Reload about the reload: one that kept the old configuration is no error.
func (c *Client) Reload(ctx context.Context) (Answer[api.Reload], error) {
	answer, err := c.ask(ctx, http.MethodPost, "reload", nil, nil)
	var problem *Problem
	if errors.As(err, &problem) {
		var refused api.RefusedReload
		if json.Unmarshal(problem.Body, &refused) == nil && refused.Config != "" {
			return Answer[api.Reload]{Value: refused.Reload, JSON: problem.Body, At: time.Now()}, nil
		}
	}
	return typed[api.Reload](c, answer, err)
}

// Tokens returns the tokens that were not revoked.
func (c *Client) Tokens(ctx context.Context) (Answer[api.TokenList], error) {
	return get[api.TokenList](ctx, c, "tokens", nil)
}

// NewToken makes a token. Its secret form is in the answer and nowhere else.
func (c *Client) NewToken(ctx context.Context, wanted api.NewToken) (Answer[api.IssuedToken], error) {
	answer, err := c.ask(ctx, http.MethodPost, "tokens", nil, wanted)
	return typed[api.IssuedToken](c, answer, err)
}

// Revoke ends a token at once, and says what it leaves behind.
func (c *Client) Revoke(ctx context.Context, id, reason string) (Answer[api.RevokedToken], error) {
	answer, err := c.ask(ctx, http.MethodDelete, "tokens/"+escape(id), url.Values{"reason": {reason}}, nil)
	return typed[api.RevokedToken](c, answer, err)
}

// Confirm gives an operator's word on a store that came back empty, older or as
// another one.
func (c *Client) Confirm(ctx context.Context, how api.How, reason string) error {
	_, err := c.ask(ctx, http.MethodPost, "store/confirm", nil, api.Confirmation{How: how, Reason: reason})
	return err
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (Answer[T], error) {
	answer, err := c.ask(ctx, http.MethodGet, path, query, nil)
	return typed[T](c, answer, err)
}
