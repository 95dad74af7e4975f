package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Size is the length in bytes of a key made here, and the least that a given
// one must have.
const Size = 32

// Key is one secret. Printed, logged or marshalled it shows its id only.
type Key struct {
	// ID says which key it is and nothing about its content: 16 hexadecimal
	// digits, the same wherever the same secret is.
	ID string
	// Made is when the key was made, to the second; zero for one that was given.
	Made time.Time

	secret []byte
}

func newKey(secret []byte, made time.Time) Key {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("evergate key id"))
	id := hex.EncodeToString(mac.Sum(nil)[:8])
	return Key{ID: id, Made: made.UTC().Truncate(time.Second), secret: secret}
}

// Secret returns the secret, at least Size bytes. It must not be changed.
func (k Key) Secret() []byte { return k.secret }

// String returns the id.
func (k Key) String() string { return k.ID }

// Format writes the id whatever the verb: %d of a struct would show the secret.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.ID) }

// LogValue logs the id.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.ID) }

// sum is the HMAC-SHA256 of message.
func (k Key) sum(message []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write(message)
	return mac.Sum(nil)
}
