// Package front is where visitors arrive: listeners for HTTP/1.1, HTTP/2 and
// HTTP/3 before one http.Handler, the PROXY protocol, limits of connections,
// the watch over slow readers and stalled streams, the memory ladder, and the
// drain. It knows no sites, routes or origins. Its invariants are in DESIGN.md.
package front
