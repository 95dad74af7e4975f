package token

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/evergate/evergate/internal/clock"
	"github.com/evergate/evergate/internal/cluster/setting"
)

// most bounds the tokens that are kept. Each is a setting that every node has in
// memory.
const most = 1000

// Keeper checks and keeps tokens. Safe for concurrent use.
type Keeper struct {
	settings Settings
	clock    clock.Clock
	log      *slog.Logger
}

// NewKeeper returns a keeper of the tokens in settings.
func NewKeeper(settings Settings, c clock.Clock, log *slog.Logger) *Keeper {
	return &Keeper{settings: settings, clock: c, log: log}
}

// Verify returns the token that was shown. Errors: ErrUnknown; ErrExpired together
// with the token, only for the right secret. How long it takes depends on the id
// at most, which is no secret.
func (k *Keeper) Verify(shown string) (Token, error) {
	parts, ok := Parse(shown)
	if !ok {
		return Token{}, ErrUnknown
	}
	d, want, ok := k.get(parts.ID)
	have := parts.hash()
	if subtle.ConstantTimeCompare(have[:], want[:]) != 1 || !ok {
		return Token{}, ErrUnknown
	}
	t := d.token(parts.ID)
	if t.Expired(k.clock.Now()) {
		return t, ErrExpired
	}
	return t, nil
}

// Valid reports whether the token with this id may be used at this moment.
func (k *Keeper) Valid(id string) bool {
	d, _, ok := k.get(id)
	return ok && !d.token(id).Expired(k.clock.Now())
}

// get returns what is kept of the token with this id, and a hash that no secret
// has if there is none.
func (k *Keeper) get(id string) (document, [sha256.Size]byte, bool) {
	s, ok := k.settings.Current(Key(id))
	if !ok || s.Value == nil {
		return document{}, [sha256.Size]byte{}, false
	}
	d, hash, err := read(s.Value)
	if err != nil {
		k.log.Warn("a token cannot be read and is not taken", "id", id, "error", err)
		return document{}, [sha256.Size]byte{}, false
	}
	return d, hash, true
}

// List returns the tokens that were not revoked, in the order of their making.
func (k *Keeper) List() []Token {
	var all []Token
	for _, s := range k.settings.All() {
		id, ok := idOf(s.Key)
		if !ok || s.Value == nil {
			continue
		}
		if d, _, err := read(s.Value); err == nil {
			all = append(all, d.token(id))
		}
	}
	slices.SortFunc(all, func(a, b Token) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return all
}

// Create makes a token and returns it with its text, which is kept nowhere.
// expires zero: never. Errors: *InvalidError, ErrTooMany, those of the settings.
func (k *Keeper) Create(ctx context.Context, name string, role Role, expires time.Time, actor string) (Token, string, error) {
	now := k.clock.Now().UTC().Truncate(time.Millisecond)
	if err := checkName(name); err != nil {
		return Token{}, "", err
	}
	if _, err := ParseRole(string(role)); err != nil {
		return Token{}, "", &InvalidError{Field: "role", Message: err.Error()}
	}
	if !expires.IsZero() && !expires.After(now) {
		return Token{}, "", &InvalidError{Field: "expires", Message: "want a time that is still to come"}
	}
	if len(k.List()) >= most {
		return Token{}, "", ErrTooMany
	}
	parts := newParts()
	hash := parts.hash()
	d := document{Name: name, Role: role, Hash: hex.EncodeToString(hash[:]), Created: now, By: actor}
	if !expires.IsZero() {
		d.Expires = expires.UTC().Truncate(time.Millisecond)
	}
	value, err := json.Marshal(d)
	if err != nil {
		return Token{}, "", fmt.Errorf("write token %s: %w", parts.ID, err)
	}
	reason := fmt.Sprintf("token for %s, role %s", name, role)
	change := setting.Change{Key: Key(parts.ID), Value: value, Actor: actor, Reason: reason}
	if _, err := k.settings.Put(ctx, change); err != nil {
		return Token{}, "", fmt.Errorf("keep token %s: %w", parts.ID, err)
	}
	return d.token(parts.ID), parts.text(), nil
}

// revokeTries bounds how often Revoke looks again after somebody was faster.
const revokeTries = 3

// Revoke ends a token at once, on this node and on all that reach the store. stored
// says where that is kept. Errors: ErrUnknown, those of the settings.
func (k *Keeper) Revoke(ctx context.Context, id, actor, reason string) (stored setting.Stored, err error) {
	if !validID(id) {
		return "", ErrUnknown
	}
	s, ok := k.settings.Current(Key(id))
	for range revokeTries {
		if !ok || s.Value == nil {
			return "", ErrUnknown // it never was one, or somebody else revoked it
		}
		var r setting.Result
		r, err = k.settings.Put(ctx, setting.Change{Key: Key(id), Based: s.Number, Actor: actor, Reason: reason})
		if err == nil {
			return r.Stored, nil
		}
		var faster *setting.ConflictError
		if !errors.As(err, &faster) {
			break
		}
		// Whatever it is now, it shall end. The conflict knows it better than Current,
		// which this node may not have brought up to date yet.
		s, ok = faster.Current, faster.Current.Number > 0
	}
	return "", fmt.Errorf("revoke token %s: %w", id, err)
}
