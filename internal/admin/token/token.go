// Package token keeps the passwords of programs and people that ask the admin
// API from afar. A token is "evg_<id>_<secret>": the id finds it, the secret, 256
// bits, proves it. Only the SHA-256 of the secret is kept.
//
// Tokens are settings under the key tokens[ID]; so they have history, journal and
// last-good file like levers, and a node that has lost its store still knows them.
package token

import "time"

// Token is what may be known of a token: everything but its secret and its hash.
type Token struct {
	ID      string    `json:"id" doc:"Id of the token: the part between the underscores."`
	Name    string    `json:"name" doc:"Who or what it is for. It is the actor of what is done with it."`
	Role    Role      `json:"role" doc:"What it may do."`
	Created time.Time `json:"created" doc:"When it was made."`
	By      string    `json:"by" doc:"Who made it."`
	Expires time.Time `json:"expires,omitzero" doc:"When it stops working. Missing: never."`
}

// Expired reports whether the token is over at now.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }
