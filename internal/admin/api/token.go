package api

import (
	"time"

	"github.com/evergate/evergate/internal/admin/token"
)

// TokenList is the answer of GET tokens.
type TokenList struct {
	At     time.Time         `json:"at" doc:"Moment of everything in this answer."`
	Tokens List[token.Token] `json:"tokens" doc:"All tokens that were not revoked, in the order of their making."`
}

// NewToken is what POST tokens wants.
type NewToken struct {
	Name      string     `json:"name" minLength:"1" maxLength:"64" example:"deploy-pipeline" doc:"Who or what it is for. It is the actor of what is done with it."`
	Role      token.Role `json:"role" enum:"viewer,operator,auditor,admin" doc:"What it may do."`
	ExpiresIn string     `json:"expires_in,omitempty" example:"2160h" doc:"How long it works, such as \"24h\". Missing: 2160h (90 days). \"never\": until it is revoked."`
}

// IssuedToken is the answer of POST tokens.
type IssuedToken struct {
	Token  token.Token `json:"token" doc:"What will be known of it from now on."`
	Secret string      `json:"secret" example:"evg_..." doc:"The token itself. It is shown this once."`
}

// RevokedToken is the answer of DELETE tokens/ID.
type RevokedToken struct {
	ID     string    `json:"id" doc:"Id of the token, which is over."`
	Stored Stored    `json:"stored" enum:"store,journal" doc:"Where the revocation is kept: in the store, or in this node's journal until the store takes it. Until then other nodes go on taking the token."`
	Note   string    `json:"note,omitempty" doc:"What is still to be done."`
	Due    List[Due] `json:"due" doc:"Changes that were asked for with this token and still wait for their time, reverts among them. They are not taken back: DELETE due/ID does that."`
}
