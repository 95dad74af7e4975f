//go:build !unix

package front

import (
	"errors"
	"syscall"
)

func setReusePort(syscall.RawConn, bool) error { return errors.ErrUnsupported }
