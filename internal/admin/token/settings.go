package token

import (
	"context"

	"github.com/evergate/evergate/internal/cluster/setting"
)

// Settings is where tokens are kept; *setting.Service is one. Safe for concurrent
// use. Current and All answer from memory.
type Settings interface {
	// Current returns the setting's version in force; false: there never was one. Its
	// Value is nil after a reset: the token is revoked.
	Current(key string) (setting.Version, bool)
	// All returns all settings, those that are no token's as well.
	All() []setting.Version
	// Put makes a change. It returns when the change is durable and Current gives it.
	Put(ctx context.Context, c setting.Change) (setting.Result, error)
}
