package front

import (
	"net/netip"
	"sync"
)

// census counts connections per visitor: an IPv4 address, or an IPv6 /64, which
// is what one household or machine is given.
type census struct {
	mu    sync.Mutex
	count map[netip.Addr]int
}

// household returns the key under which a is counted.
func household(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil { // the zero address: everybody unknown together
		return a
	}
	return p.Addr()
}

// enter counts a connection of a unless limit are open already. limit 0 is none.
func (c *census) enter(a netip.Addr, limit int) bool {
	key := household(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit > 0 && c.count[key] >= limit {
		return false
	}
	if c.count == nil {
		c.count = make(map[netip.Addr]int)
	}
	c.count[key]++
	return true
}

// exit ends what enter began.
func (c *census) exit(a netip.Addr) {
	key := household(a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count[key]--; c.count[key] <= 0 {
		delete(c.count, key)
	}
}
