package systemd

import (
	"net"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

func TestNotifier(t *testing.T) {
	tests := []struct {
		name string
		send func(Notifier) error
		want string
	}{
		{"ready, with a status", func(n Notifier) error { return n.Ready("serving") }, `^READY=1\nSTATUS=serving$`},
		{"a status cannot smuggle in another assignment", func(n Notifier) error { return n.Ready("a\nMAINPID=1") }, `^READY=1\nSTATUS=a MAINPID=1$`},
		{"reloading, with the monotonic time", Notifier.Reloading, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+$`},
		{"stopping", func(n Notifier) error { return n.Stopping("draining") }, `^STOPPING=1\nSTATUS=draining$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "notify")
			manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			if err := tt.send(New(socket)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 1024)
			manager.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := manager.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(tt.want).Match(buf[:n]) {
				t.Errorf("the manager got %q, want %s", buf[:n], tt.want)
			}
		})
	}
}

func TestNotifier_WithoutAManagerDoesNothing(t *testing.T) {
	if err := New("").Ready("serving"); err != nil {
		t.Error(err)
	}
}

func TestNotifier_AManagerThatIsGoneIsAnError(t *testing.T) {
	if err := New(filepath.Join(t.TempDir(), "gone")).Ready("serving"); err == nil {
		t.Error("no error")
	}
}
