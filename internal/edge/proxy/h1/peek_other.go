//go:build !unix

package h1

import "syscall"

// peeker is not built here; alive reads with a short deadline instead.
type peeker struct{}

func newPeeker(syscall.RawConn) *peeker { return nil }

func (*peeker) peek() peeked { return peekData }
