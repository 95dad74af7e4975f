// Package certs is where the certificates of the https listeners come from:
// files, an ACME authority, or an authority of this machine's own.
package certs
