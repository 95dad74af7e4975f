// Package id makes request ids: unique over nodes and restarts, and in the
// order of time, so that logs can be searched by prefix.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"
)

// size is the length in bytes of an id.
const size = 26

// alphabet is Crockford's, lower case: no letter that reads like another, and
// ids sort as their bytes do.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// process is 32 random bits that keep two processes apart.
var process = func() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return binary.BigEndian.Uint32(b[:])
}()

var counter atomic.Uint32

// New returns an id for something that began at now: 48 bits of milliseconds,
// 32 bits of this process, 32 bits of a counter, 16 random bits, as 26 letters.
// The ids are unique, not secret: a visitor may guess the next one.
func New(now time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMilli())<<16)
	binary.BigEndian.PutUint32(raw[6:10], process)
	binary.BigEndian.PutUint32(raw[10:14], counter.Add(1))
	binary.BigEndian.PutUint16(raw[14:16], uint16(mathrand.Uint32()))
	var out [size]byte
	alphabet.Encode(out[:], raw[:])
	return string(out[:])
}
