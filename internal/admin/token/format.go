package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

const (
	prefix     = "evg_"
	idBytes    = 5 // 40 bits: enough to tell tokens apart, short enough to be read out
	secretBits = 256
)

// alphabet is Crockford's, in lower case: a token is one word for a double click,
// and no letter of it reads like another.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

var (
	idSize     = alphabet.EncodedLen(idBytes)
	secretSize = alphabet.EncodedLen(secretBits / 8)
)

// Parts are what a token's text is made of.
type Parts struct {
	ID     string
	Secret [secretBits / 8]byte
}

// newParts returns new random ones.
func newParts() Parts {
	var p Parts
	var id [idBytes]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand, Go 1.24)
	_, _ = rand.Read(p.Secret[:])
	p.ID = alphabet.EncodeToString(id[:])
	return p
}

// Parse reads a token's text. Exactly one text stands for each token: what String
// gives for it.
func Parse(text string) (Parts, bool) {
	var p Parts
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != idSize+1+secretSize || rest[idSize] != '_' {
		return Parts{}, false
	}
	if !validID(rest[:idSize]) {
		return Parts{}, false
	}
	p.ID = rest[:idSize]
	secret := rest[idSize+1:]
	n, err := alphabet.Decode(p.Secret[:], []byte(secret))
	// 256 bits leave four over in the last letter, which must be zero.
	if err != nil || n != len(p.Secret) || alphabet.EncodeToString(p.Secret[:]) != secret {
		return Parts{}, false
	}
	return p, true
}

// validID reports whether id can be one of a token.
func validID(id string) bool {
	if len(id) != idSize {
		return false
	}
	_, err := alphabet.DecodeString(id)
	return err == nil && !strings.ContainsAny(id, "\r\n") // which Decode would pass over
}

// text is the token as it is shown once to whoever asked for it.
func (p Parts) text() string { return prefix + p.ID + "_" + alphabet.EncodeToString(p.Secret[:]) }

// String does not show the secret, so that no log does.
func (p Parts) String() string { return prefix + p.ID + "_***" }

// GoString is String.
func (p Parts) GoString() string { return p.String() }

// hash is what is kept of the secret. It needs no salt and no slow function: 256
// random bits cannot be searched.
func (p Parts) hash() [sha256.Size]byte { return sha256.Sum256(p.Secret[:]) }
