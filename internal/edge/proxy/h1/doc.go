// Package h1 is the lean HTTP/1.1 transport: one attempt on one server, made
// whole on the goroutine of the caller. It acquires a connection, writes the
// request, reads the response and hands the body over, without a goroutine per
// connection and without a channel per request. DESIGN.md says what it promises
// and what it leaves to others.
//
// Sources: RFC 9110, RFC 9112 and the project's edge guide, section 5.
package h1
