package server

import (
	"errors"
	"fmt"
	"syscall"
)

// explained adds to the error of opening a listener what can be done about it.
func explained(err error) error {
	switch {
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w; ports below 1024 are reserved: run Evergate by its systemd unit (packaging/evergate.service), give the binary the right with \"setcap cap_net_bind_service=+ep\", or choose a higher port", err)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; another program listens there (\"ss -ltnp\" shows which one)", err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%w; no interface of this machine has that address", err)
	}
	return err
}
