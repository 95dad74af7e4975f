// Package framing proves that Evergate and the servers behind it always agree
// where a request ends. Its tests send raw bytes through a real Evergate to an
// upstream that records every byte, and allow two results: an answer of class
// 400 (or 501, 505), a closed connection and nothing whole upstream; or exactly
// one well-formed request upstream, with Content-Length or Transfer-Encoding but
// not both, and nothing smuggled behind it. RFC 9112, 9110 and 9113 say which.
package framing
