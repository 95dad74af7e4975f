//go:build tools

package acme

import _ "github.com/letsencrypt/pebble/v2/cmd/pebble" // run by the tests as a process
