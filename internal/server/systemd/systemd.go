// Package systemd tells the service manager what state this process is in, by
// the protocol of sd_notify(3): one datagram of KEY=VALUE lines to the socket
// that $NOTIFY_SOCKET names. Without that variable it does nothing.
package systemd

import (
	"fmt"
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// Notifier sends states. The zero value sends nothing.
type Notifier struct{ socket string }

// New returns a notifier for the socket as $NOTIFY_SOCKET gives it; "" means
// that no manager wants to know. A leading "@" is the abstract namespace.
func New(socket string) Notifier { return Notifier{socket: socket} }

// Ready says that start-up or reload is over, with a line for "systemctl status".
func (n Notifier) Ready(status string) error {
	return n.send("READY=1", "STATUS="+oneLine(status))
}

// Reloading says that a reload began. The manager wants the time of the
// monotonic clock with it, to tell it from an earlier one (Type=notify-reload).
func (n Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the monotonic clock: %w", err)
	}
	return n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// Stopping says that the process is on its way out.
func (n Notifier) Stopping(status string) error {
	return n.send("STOPPING=1", "STATUS="+oneLine(status))
}

func (n Notifier) send(lines ...string) error {
	if n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// oneLine keeps a status from being read as further assignments.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
