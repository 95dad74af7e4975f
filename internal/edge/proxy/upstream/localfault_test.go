package upstream

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/evergate/evergate/internal/exchange"
)

func TestLocalFault(t *testing.T) {
	dial := func(errno syscall.Errno) error {
		return &Error{Outcome: exchange.Connect, Op: "dial", Err: &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)}}
	}
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"no file descriptor left", dial(syscall.EMFILE), true},
		{"no port left", dial(syscall.EADDRNOTAVAIL), true},
		{"the server refuses", dial(syscall.ECONNREFUSED), false},
		{"no error", nil, false},
	}
	for _, tt := range tests {
		if got := LocalFault(tt.err); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
