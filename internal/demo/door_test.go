package demo

import (
	"net"
	"strings"
	"testing"
)

func TestFreeOr_GivesWayToWhoIsThere(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	if got := freeOr(address); got != anyPort {
		t.Errorf("%s is taken, and freeOr says %s", address, got)
	}
	taken.Close()
	if got := freeOr(address); got != address {
		t.Errorf("%s is free, and freeOr says %s", address, got)
	}
}

func TestLastLines_KeepsTheEnd(t *testing.T) {
	var l lastLines
	for range 1000 {
		if _, err := l.Write([]byte(strings.Repeat("x", 99) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	l.Write([]byte("the last\n"))
	if got := l.String(); !strings.HasSuffix(got, "the last") || len(got) > 16<<10 {
		t.Errorf("%d bytes, ending %q", len(got), got[max(0, len(got)-20):])
	}
}
