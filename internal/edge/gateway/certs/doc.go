// Package certs is where the certificates of the https listeners come from:
// files, an ACME authority (RFC 8555), or an authority of this machine's own. A
// handshake looks its certificate up in a book that never changes; everything
// else happens beside the traffic and ends in another book. Nothing here listens,
// and nothing waits for the network before it serves. DESIGN.md has the
// invariants and what happens when disks, clocks and authorities fail.
package certs
