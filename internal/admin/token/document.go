package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	keyPrefix = "tokens["
	keySuffix = "]"
	maxName   = 64 // characters of a name
)

// document is what is kept of a token, as JSON.
type document struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Hash    string    `json:"hash"` // SHA-256 of the secret, in hexadecimal
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	Expires time.Time `json:"expires,omitzero"`
}

// Key is the setting that holds the token with this id.
func Key(id string) string { return keyPrefix + id + keySuffix }

// IsKey reports whether the setting with this key holds a token.
func IsKey(key string) bool {
	_, ok := idOf(key)
	return ok
}

func idOf(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return "", false
	}
	id, ok := strings.CutSuffix(rest, keySuffix)
	return id, ok && validID(id)
}

// Check says what is wrong with a value for the setting with this key; nil, which
// revokes the token, is always good. It is for the settings, which take only what
// somebody understands.
func Check(key string, value json.RawMessage) error {
	if !IsKey(key) {
		return fmt.Errorf("%s is no token's key", key)
	}
	if value == nil {
		return nil
	}
	_, _, err := read(value)
	return err
}

// read returns the document and the hash in it. It takes what Create writes and
// nothing else: of a member that is there twice, or in other letters, two readers
// could take two things for the role.
func read(value json.RawMessage) (document, [sha256.Size]byte, error) {
	var d document
	var hash [sha256.Size]byte
	strict := json.NewDecoder(bytes.NewReader(value))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&d); err != nil {
		return d, hash, fmt.Errorf("read a token: %w", err)
	}
	if err := asWritten(d, value); err != nil {
		return d, hash, err
	}
	if n, err := hex.Decode(hash[:], []byte(d.Hash)); err != nil || len(d.Hash) != 2*sha256.Size || n != sha256.Size {
		return d, hash, errors.New("read a token: its hash is not a SHA-256")
	}
	if err := checkName(d.Name); err != nil {
		return d, hash, err
	}
	if _, err := ParseRole(string(d.Role)); err != nil {
		return d, hash, err
	}
	return d, hash, nil
}

// asWritten says whether value is how d is written, apart from spaces between the
// parts.
func asWritten(d document, value json.RawMessage) error {
	want, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("read a token: %w", err)
	}
	var got bytes.Buffer
	if err := json.Compact(&got, value); err != nil {
		return fmt.Errorf("read a token: %w", err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		return errors.New("read a token: it has members twice, or in another order or writing")
	}
	return nil
}

func (d document) token(id string) Token {
	return Token{ID: id, Name: d.Name, Role: d.Role, Created: d.Created, By: d.By, Expires: d.Expires}
}

// checkName says what is wrong with a name. It stands in histories and logs, so it
// is one line, and without the brackets that an actor's id stands in.
func checkName(name string) error {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > maxName || strings.TrimSpace(name) != name || !utf8.ValidString(name) {
		return &InvalidError{Field: "name", Message: fmt.Sprintf("want 1 to %d characters, without space at the ends", maxName)}
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" ._-@+/:", r) {
			return &InvalidError{Field: "name", Message: fmt.Sprintf("%q cannot be in it; want letters, digits, spaces and . _ - @ + / :", r)}
		}
	}
	return nil
}
