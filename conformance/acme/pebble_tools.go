//go:build tools

package acme

// The tests build and run it as a process; this line keeps it in go.mod.
import _ "github.com/letsencrypt/pebble/v2/cmd/pebble"
