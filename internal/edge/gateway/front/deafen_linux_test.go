package front

import (
	"errors"
	"net"
	"testing"
	"time"
)

func TestDeafen_KeepsWhoIsConnectedAndIgnoresWhoComesLater(t *testing.T) {
	l, err := listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	early, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := deafen(raw); err != nil {
		t.Fatal(err)
	}
	late, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a late visitor got %v, %v; want silence", late, err)
	}
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	if _, err := early.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := served.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d bytes from the early visitor, %v", n, err)
	}
}
