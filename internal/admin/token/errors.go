package token

import "errors"

// What a caller decides by.
var (
	// ErrUnknown says that there is no such token: it never was one, its secret is
	// another, or it was revoked. Nobody is told which.
	ErrUnknown = errors.New("there is no such token")
	// ErrExpired says that the token is over. Only who has its secret hears it.
	ErrExpired = errors.New("the token is over")
	// ErrTooMany says that no more tokens are kept.
	ErrTooMany = errors.New("there are as many tokens as can be kept; revoke some")
)

// InvalidError says what is wrong with what a token should be.
type InvalidError struct {
	Field   string // "name", "role" or "expires"
	Message string // what is wanted
}

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }
