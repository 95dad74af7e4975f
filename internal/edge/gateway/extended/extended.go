// Package extended lets net/http's HTTP/2 server take extended CONNECT requests
// (RFC 8441), by which a browser opens a websocket over HTTP/2.
//
// Go keeps that behind GODEBUG=http2xconnect=1, and net/http reads it from the
// environment alone, once, in its own init: neither a go:debug line nor a field
// of http.Server does it. So this package sets the variable before net/http is
// initialised. Packages are initialised in the order of their import paths as far
// as their imports allow (Go 1.21 release notes, "Package initialization order");
// this one imports os and nothing else, and "github.com/..." comes before
// "net/http". A test of the gateway holds it against a real connection.
package extended

import "os"

const setting = "http2xconnect=1"

// Work in init is what this house does not do; here there is no other moment.
func init() {
	value := setting
	if before := os.Getenv("GODEBUG"); before != "" {
		value = before + "," + setting
	}
	_ = os.Setenv("GODEBUG", value) // without it, browsers open their websockets over HTTP/1.1
}
