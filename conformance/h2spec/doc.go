// Package h2spec compares Evergate with a bare http.Server of the same toolchain,
// case by case, by the conformance suite of that name (RFC 9113 and 7541). It has
// a module of its own, so that the suite is no dependency of Evergate.
package h2spec
