// Package std is an upstream.Transport on top of net/http: HTTP/2 with and
// without TLS, and HTTP/1.1 for servers that the lean transport does not suit.
//
// net/http repeats some requests by itself. Over HTTP/1.1 that is made
// impossible here: no request has a body that it would think repeatable. Over
// HTTP/2 a request without a body and with an idempotent method may be repeated
// after GOAWAY or a refused stream, when the server has promised not to have
// processed it; those are counted (Stats.Hidden). Others never are.
//
// Two things that net/http keeps to itself are read from the connection: how far
// a request got (wire), and what the Connection lines of a response named when
// one of them said "close" (tap).
//
// What it does not do: max_age and probe_after, because net/http watches its
// idle connections all the time and does not tell their age; and to refuse all
// that the lean transport refuses, because the parser is net/http's.
package std
