package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/evergate/evergate/internal/admin/token"
	"github.com/evergate/evergate/internal/cluster/setting"
)

// Door is the running Evergate. Safe for concurrent use; nothing but Reload waits.
// What it returns is the caller's.
type Door interface {
	Status() Status
	Figures() Figures        // as in Status, at most two seconds old
	Config() json.RawMessage // the configuration in use, levers included, without secrets
	Sites() []Site           // in the order of the configuration
	Origins() []Origin       // in the order of their names

	// Reload loads the configuration file again for actor and returns when it is in
	// use, or when it is clear that it will not be. It goes on when ctx ends.
	Reload(ctx context.Context, actor string) Reload
}

// Levers turns levers. Safe for concurrent use.
type Levers interface {
	Levers() []Lever // in the order of their names

	// Lever returns the lever that name means; other names of the same lever count.
	// Errors: *UnknownError.
	Lever(name string) (Lever, error)

	// Change makes a change. It returns when the process acts on it and it is
	// durable, or, with At, when it is durable; it goes on when ctx ends. Errors:
	// *UnknownError, *ConflictError, *InvalidError, *BusyError.
	Change(ctx context.Context, c Change) (Changed, error)

	// History returns at most limit changes with numbers below before, the last one
	// first; before 0: from the last one. whole is false when the store is lost and
	// only what this node remembers is there. A name that is no lever now may have a
	// history all the same, of an origin that was removed. Errors: *UnknownError.
	History(ctx context.Context, name string, before int64, limit int) (versions []LeverVersion, whole bool, err error)
}

// Dues are changes that wait for their time. Safe for concurrent use.
type Dues interface {
	// Dues returns those that wait, the next one first, then those skipped lately.
	Dues() []Due
	// Cancel takes back one that waits. Errors: *UnknownError, *BusyError; a
	// *ConflictError without Current when it does not wait any more.
	Cancel(ctx context.Context, id, actor, reason string) error
}

// Tokens checks and keeps tokens; *token.Keeper is one. Safe for concurrent use.
type Tokens interface {
	// Verify returns the token that was shown. Errors: token.ErrUnknown;
	// token.ErrExpired, with the token, for somebody who has the right secret.
	Verify(shown string) (token.Token, error)
	// Valid reports whether the token with this id may be used at this moment.
	Valid(id string) bool
	// List returns the tokens that were not revoked, in the order of their making.
	List() []token.Token
	// Create makes a token and returns it with its secret form. expires zero: never.
	// Errors: *token.InvalidError, token.ErrTooMany, those of the settings.
	Create(ctx context.Context, name string, role token.Role, expires time.Time, actor string) (token.Token, string, error)
	// Revoke ends a token at once, and says where that is kept. Errors:
	// token.ErrUnknown, those of the settings.
	Revoke(ctx context.Context, id, actor, reason string) (setting.Stored, error)
}

// Confirmer is told an operator's word on a store that came back empty, older or
// as another one. Errors: *ConflictError when there is nothing to confirm,
// *BusyError when the store cannot be reached.
type Confirmer interface {
	Confirm(ctx context.Context, how How, actor, reason string) error
}
