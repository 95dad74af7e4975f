package api

import "net/http"

// The kinds of problem: what a program may decide by. Each is explained on the page.
const (
	kindBody      = "bad-body"
	kindToken     = "bad-token"
	kindExpired   = "expired-token"
	kindRole      = "role-too-small"
	kindOrigin    = "cross-origin"
	kindUnknown   = "unknown"
	kindMethod    = "wrong-method"
	kindTimeout   = "too-slow"
	kindConflict  = "conflict"
	kindTooLarge  = "too-large"
	kindMediaType = "wrong-media-type"
	kindHost      = "wrong-host"
	kindInvalid   = "invalid"
	kindReload    = "old-configuration-kept"
	kindRate      = "too-many-requests"
	kindInternal  = "internal"
	kindBusy      = "unavailable"
)

// kind is one of them, for the page.
type kind struct {
	Name    string
	Status  int
	Meaning string
}

// kinds are all of them, in the order of their status.
var kinds = []kind{
	{kindBody, http.StatusBadRequest, "The body is missing or is no JSON."},
	{kindToken, http.StatusUnauthorized, "No token, or one that does not exist."},
	{kindExpired, http.StatusUnauthorized, "The token is over. Only who has its secret is told."},
	{kindRole, http.StatusForbidden, "The role is too small; needs names the one that is needed."},
	{kindOrigin, http.StatusForbidden, "A browser sent a change, or a remembered password, for a page of another site."},
	{kindUnknown, http.StatusNotFound, "There is no such thing; nearest names what may have been meant."},
	{kindMethod, http.StatusMethodNotAllowed, "The path is right and the method is not; see the Allow header."},
	{kindTimeout, http.StatusRequestTimeout, "The body took too long to arrive."},
	{kindConflict, http.StatusConflict, "Somebody else was faster; current is the lever as it is now. Look at it, then decide again."},
	{kindTooLarge, http.StatusRequestEntityTooLarge, "The body has more than 64 KiB."},
	{kindMediaType, http.StatusUnsupportedMediaType, "The body is not application/json."},
	{kindHost, http.StatusMisdirectedRequest, "The Host header names another machine."},
	{kindInvalid, http.StatusUnprocessableEntity, "A value is missing, out of bounds or of the wrong type, or a member is unknown; errors says which."},
	{kindReload, http.StatusUnprocessableEntity, "The new configuration has mistakes, and the old one is still in use; problems names them."},
	{kindRate, http.StatusTooManyRequests, "Too many requests, or too many wrong tokens; see the Retry-After header."},
	{kindInternal, http.StatusInternalServerError, "A mistake in Evergate. Its log has more."},
	{kindBusy, http.StatusServiceUnavailable, "It cannot be done now, and nothing was changed; detail says what is in the way."},
}

// kindOf is the kind of a problem of which only the status is known.
func kindOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return kindToken
	case http.StatusUnprocessableEntity:
		return kindInvalid
	}
	for _, k := range kinds {
		if k.Status == status {
			return k.Name
		}
	}
	return kindInternal
}
