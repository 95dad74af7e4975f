package dialect

import (
	"crypto/rand"
	"encoding/hex"
)

// NewIdentity returns a name for a store that no other has: 128 random bits as 32
// letters.
func NewIdentity() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(raw[:])
}
