//go:build !linux

package front

import (
	"errors"
	"syscall"
)

func deafen(syscall.RawConn) error { return errors.ErrUnsupported }
