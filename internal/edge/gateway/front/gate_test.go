package front

import (
	"net/netip"
	"testing"
	"testing/synctest"
)

func TestGate_WaitsUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		g.setLimit(2)
		stop := make(chan struct{})
		g.enter()
		g.enter()
		admitted := make(chan bool)
		go func() { admitted <- g.wait(stop) }()
		synctest.Wait()
		select {
		case <-admitted:
			t.Fatal("admitted above the limit")
		default:
		}
		if g.tryEnter() {
			t.Fatal("entered above the limit")
		}
		g.exit()
		if !<-admitted {
			t.Fatal("not admitted below the limit")
		}
		g.enter()
		go func() { admitted <- g.wait(stop) }()
		g.setLimit(0)
		if !<-admitted {
			t.Fatal("not admitted without a limit")
		}
		g.setLimit(1)
		go func() { admitted <- g.wait(stop) }()
		close(stop)
		if <-admitted {
			t.Fatal("admitted after stop")
		}
	})
}

func TestCensus_CountsAHouseholdAsOne(t *testing.T) {
	tests := []struct {
		name, first, second string
		together            bool
	}{
		{"the same IPv4 address", "192.0.2.1", "192.0.2.1", true},
		{"two IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
		{"IPv4 and the same in IPv6 clothes", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"one IPv6 /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"two IPv6 /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"a link-local address with its zone", "fe80::1%eth0", "fe80::2", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c census
			first, second := netip.MustParseAddr(tt.first), netip.MustParseAddr(tt.second)
			if !c.enter(first, 1) {
				t.Fatal("the first was refused")
			}
			if got := c.enter(second, 1); got == tt.together {
				t.Errorf("the second was admitted: %v", got)
			}
			c.exit(first)
			if tt.together && !c.enter(second, 1) {
				t.Error("refused though the first has left")
			}
		})
	}
}

func TestCensus_ForgetsWhoHasLeft(t *testing.T) {
	var c census
	a := netip.MustParseAddr("192.0.2.1")
	for range 3 {
		c.enter(a, 0)
	}
	for range 3 {
		c.exit(a)
	}
	if len(c.count) != 0 {
		t.Errorf("still holds %v", c.count)
	}
}

func TestConnectionLimit(t *testing.T) {
	tests := []struct {
		name                  string
		configured, openFiles int
		want                  int
	}{
		{"as configured", 100, 1024, 100},
		{"half of the files, less our own", 0, 1064, 500},
		{"some at least", 0, 70, leastConnections},
		{"none where nothing is known", 0, 0, 0},
	}
	for _, tt := range tests {
		if got := connectionLimit(tt.configured, tt.openFiles); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
